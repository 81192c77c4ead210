"""Contacts made unreadable: masked for the eye, or hashed to be compared alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from eventyard.jobs.scraping.contacts import Contacts, replaced

Mode = Literal["mask", "hash"]
#: In JSON-LD these hold numbers and addresses, in whatever form.
_NAMED: Final = frozenset({"email", "telephone", "phone", "faxnumber", "fax"})
_SHOWN_BEFORE: Final = 3
_SHOWN_BEHIND: Final = 2


@dataclass(frozen=True, slots=True)
class Redaction:
    """
    How contacts are made unreadable.

    A hash takes a secret key: without one, every number of a country is soon tried. The
    same contact has the same hash wherever it is found with that key.
    """

    mode: Mode = "mask"
    key: bytes = field(default=b"", repr=False)

    def one(self, contact: str) -> str:
        """Return what is shown of an email or a number."""
        if self.mode == "hash":
            kind = "email" if "@" in contact else "phone"
            digest = hmac.new(self.key, contact.encode(), hashlib.sha256)
            return f"{kind}:{digest.hexdigest()[:32]}"
        local, at, domain = contact.partition("@")
        if at:
            return f"{local[:1]}***@{domain}"
        hidden = "*" * (len(contact) - _SHOWN_BEFORE - _SHOWN_BEHIND)
        return contact[:_SHOWN_BEFORE] + hidden + contact[-_SHOWN_BEHIND:]

    def contacts(self, found: Contacts) -> Contacts:
        """Return contacts as they are shown; what looks alike is one."""
        return Contacts(
            tuple(sorted(set(map(self.one, found.emails)))),
            tuple(sorted(set(map(self.one, found.phones)))),
        )

    def value(self, value: Any) -> Any:
        """Return a JSON value without the contacts in its texts."""
        if isinstance(value, str):
            return replaced(value, self.one)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, Mapping):
            return {self.value(k): self._named(k, v) for k, v in value.items()}
        return value

    def _named(self, name: str, value: Any) -> Any:
        if name.lower() not in _NAMED or value is None or isinstance(value, Mapping):
            return self.value(value)
        if isinstance(value, list):
            return [self._named(name, one) for one in value]
        text = str(value)
        seen = replaced(text, self.one)
        return seen if seen != text else self.one(text)
