"""API keys: made, listed, rotated, revoked; stored hashed, with their scopes."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.auth import Principal, check_scopes, fingerprint
from chalicelib.aws import Item
from chalicelib.table import Table
from eventyard.core import moments
from eventyard.core.errors import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)

#: The longest that the old secret of a rotated key may go on working, in seconds.
MOST_GRACE: Final = 604_800
#: How long an expired key is still listed, and refused as expired, in seconds.
_SHOWN_SECONDS: Final = 7 * 86_400
_PREFIX: Final = "ey_"
_PARTITION: Final = "key"
_NAME: Final = re.compile(r"[\w .@-]{1,64}")
_HIDDEN: Final = frozenset({"pk", "sk", "ttl"})


@dataclass(slots=True)
class KeyStore:
    """API keys: the secret is shown once, its SHA-256 is what is stored."""

    table: Table
    clock: Callable[[], float] = time.time

    def create(
        self, name: str, scopes: Iterable[str], expires_in_s: int | None = None
    ) -> tuple[str, Item]:
        """
        Make a key; return its secret, which nobody can read again, and its row.

        `expires_in_s` seconds from now it is refused; without, it lasts.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequestError(
                "A key's name has 1 to 64 letters, digits, spaces or any of . _ @ -"
            )
        return self._write(name, check_scopes(scopes), expires_in_s)

    def _write(
        self, name: str, scopes: list[str], expires_in_s: int | None
    ) -> tuple[str, Item]:
        secret = _PREFIX + secrets.token_urlsafe(32)
        row: Item = {
            "id": fingerprint(secret)[:16],
            "name": name,
            "scopes": scopes,
            "created_at": moments.at(self.clock()),
        }
        if expires_in_s is not None:
            row |= {"expires_in_s": expires_in_s}
            row |= _expiring(self.clock() + expires_in_s)
        self.table.put({"pk": _PARTITION, "sk": fingerprint(secret), **row})
        return secret, _shown(row)

    def all(self) -> Iterator[Item]:
        """Return every key's row, without anything secret."""
        yield from map(_shown, self.table.query(_PARTITION))

    def read(self, secret: str) -> Principal:
        """Return whom a key stands for; raise AuthenticationError saying why not."""
        row = self.table.get(_PARTITION, fingerprint(secret))
        if row is None:
            raise AuthenticationError("This API key is unknown or was revoked.")
        until = _expiry(row)
        if until is not None and until <= self.clock():
            raise AuthenticationError(
                f"This API key expired at {row['expires_at']}; ask for a new one.",
                details={"expired_at": row["expires_at"]},
            )
        return Principal(row["name"], frozenset(row["scopes"]), row["id"], until)

    def revoke(self, key_id: str) -> Item:
        """Remove a key by its id and return its row; raise NotFoundError."""
        row = self._find(key_id)
        self.table.delete(_PARTITION, row["sk"])
        return _shown(row)

    def rotate(self, key_id: str, grace_s: int) -> tuple[str, Item, Item]:
        """
        Make a key's successor: the same name, scopes and time to live.

        The old secret goes on working for `grace_s` seconds, or until it expires
        anyway. Returns the new secret and the rows of the new key and of the old.
        Raises NotFoundError, and ConflictError for one that has a successor.
        """
        old = self._find(key_id)
        # The successor first: a crash between leaves a key that nobody can use.
        secret, new = self._write(old["name"], old["scopes"], old.get("expires_in_s"))
        expiry = min(self.clock() + grace_s, _expiry(old) or float("inf"))
        changes = {**_expiring(expiry), "replaced_by": new["id"]}
        unchanged = {"replaced_by": None}
        if not self.table.set(_PARTITION, old["sk"], changes, only_if=unchanged):
            self.table.delete(_PARTITION, fingerprint(secret))
            raise _replaced(self._find(key_id))
        return secret, new, _shown({**old, **changes})

    def _find(self, key_id: str) -> Item:
        for row in self.table.query(_PARTITION):
            if row["id"] == key_id:
                return row
        raise NotFoundError(f"There is no API key {key_id}.")


def _replaced(row: Item) -> ConflictError:
    successor = row.get("replaced_by")
    return ConflictError(
        f"The API key {row['id']} was rotated already; rotate its successor "
        f"{successor}.",
        details={"replaced_by": successor},
    )


def _expiring(at: float) -> Item:
    # The row stays for a while, so that its key is told from one that never was.
    return {"expires_at": moments.at(at), "ttl": int(at) + _SHOWN_SECONDS}


def _expiry(row: Item) -> float | None:
    text = row.get("expires_at")
    return None if text is None else moments.read(text).timestamp()


def _shown(row: Item) -> Item:
    return {name: value for name, value in row.items() if name not in _HIDDEN}
