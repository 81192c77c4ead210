"""What a delivery says: its payload, its type, its id."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from chalicelib.sources.model import HEADER
from eventyard.core.errors import InvalidRequestError
from eventyard.core.topics import MAX_LENGTH
from eventyard.core.wire import loads

_MOST_FIELDS: Final = 1_000
_NOT_IN_TOPICS: Final = re.compile(r"[^A-Za-z0-9_:/-]+")
_UNTYPED: Final = "received"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came in."""

    #: By their names in lower case.
    headers: Mapping[str, str]
    body: bytes
    #: Whether the body is a form; it is JSON otherwise.
    form: bool = False

    def payload(self) -> Any:
        """Read the body; raises InvalidRequestError."""
        return _form(self.body) if self.form else loads(self.body)

    def digest(self, topic: str) -> str:
        """Return what tells it from others that have no id either."""
        said = f"{topic}\n{self.form}\n".encode()
        return hashlib.sha256(said + self.body).hexdigest()

    def said(self, way: str | None, payload: Any) -> str | None:
        """Return the text or number that stands in a header or at a path."""
        if way is None:
            return None
        if way.startswith(HEADER):
            return self.headers.get(way.removeprefix(HEADER).lower()) or None
        found = payload
        for key in way.split("."):
            found = _member(found, key)
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        return found if isinstance(found, str) and found else None


def _member(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    return None


def _form(body: bytes) -> dict[str, Any]:
    try:
        fields = parse_qs(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise InvalidRequestError(f"invalid form: {error}") from None
    return {n: v if len(v) > 1 else v[0] for n, v in fields.items()}


def topic_of(prefix: str, said: str | None) -> str:
    """Return the topic of an event of some type, whatever a sender calls it."""
    # What is longer than any topic need not be looked at.
    parts = (said or "")[:MAX_LENGTH].split(".")
    fitting = (_NOT_IN_TOPICS.sub("_", part.strip()) for part in parts)
    kept = [part for part in fitting if part.strip("_")]
    return ".".join([prefix, *(kept or [_UNTYPED])])[:MAX_LENGTH].rstrip(".")


def event_id_of(said: str) -> str:
    """Return an id as events may have it: what cannot be one is hashed."""
    if len(said) <= MAX_LENGTH and said.isprintable() and " " not in said:
        return said
    digest = hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()
    return f"sha256-{digest}"
