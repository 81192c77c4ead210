"""Who is calling, and what they may do: API keys with scopes, stored hashed."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.config import AuthMode
from chalicelib.table import Table
from eventyard.core.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from eventyard.core.topics import compile_pattern

#: What a key may be allowed. Those about events may end in `:<topic pattern>`.
SCOPES: Final = ("admin", "events:publish", "events:subscribe")
_FOR_TOPICS: Final = SCOPES[1:]
_PREFIX: Final = "ey_"
_PARTITION: Final = "key"
_BEARER: Final = re.compile(
    r"Bearer +(?P<token>[A-Za-z0-9_\-.~+/=]{1,512})", re.IGNORECASE
)
#: How long a process trusts what it read about a key: the price of a revocation.
_CACHE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever stands behind a request, with the scopes granted to them."""

    name: str
    scopes: frozenset[str]
    #: Tells apart keys of the same name.
    id: str = ""

    def may(self, scope: str) -> bool:
        """Tell whether the scope is granted, whole or for some topics."""
        return "admin" in self.scopes or any(
            granted == scope or granted.startswith(scope + ":")
            for granted in self.scopes
        )

    def topics(self, scope: str) -> tuple[str, ...] | None:
        """Return the topic patterns the scope is granted for; None means all."""
        if self.scopes & {"admin", scope}:
            return None
        prefix = scope + ":"
        return tuple(
            sorted(s.removeprefix(prefix) for s in self.scopes if s.startswith(prefix))
        )

    def require(self, scope: str) -> None:
        """Raise PermissionDeniedError unless the scope is granted."""
        if not self.may(scope):
            raise PermissionDeniedError(
                f"This needs the scope {scope}.", details={"scope": scope}
            )


def require_topics(
    scope: str, patterns: Iterable[str] | None, topics: Iterable[str]
) -> None:
    """Raise PermissionDeniedError at the first topic outside of the patterns."""
    if patterns is None:
        return
    compiled = [compile_pattern(pattern) for pattern in patterns]
    for topic in topics:
        if not any(pattern.matches(topic) for pattern in compiled):
            raise PermissionDeniedError(
                f"This needs the scope {scope}:{topic}.",
                details={"scope": scope, "topic": topic},
            )


#: Everybody, where EVENTYARD_AUTH=open.
ANYBODY: Final = Principal("anybody", frozenset({"admin"}), "anybody")


def check_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the scopes in order, or raise InvalidRequestError at an unknown one."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise InvalidRequestError("A key needs at least one scope.")
    for scope in wanted:
        _check_scope(scope)
    return wanted


def _check_scope(scope: str) -> None:
    if scope in SCOPES:
        return
    # A topic may hold colons itself.
    base = next((s for s in _FOR_TOPICS if scope.startswith(s + ":")), None)
    if base is None:
        raise InvalidRequestError(
            f"Unknown scope {scope!r}; the scopes are {', '.join(SCOPES)}, those "
            "about events also with a topic pattern, as events:publish:order.*"
        )
    compile_pattern(scope.removeprefix(base + ":"))


@dataclass(slots=True)
class KeyStore:
    """API keys: the secret is shown once, its SHA-256 is what is stored."""

    table: Table

    def create(self, name: str, scopes: Iterable[str]) -> tuple[str, Item]:
        """Make a key; return its secret, which nobody can read again, and its row."""
        if not re.fullmatch(r"[\w .@-]{1,64}", name):
            raise InvalidRequestError(
                "A key's name has 1 to 64 letters, digits, spaces or any of . _ @ -"
            )
        secret = _PREFIX + secrets.token_urlsafe(32)
        row: Item = {
            "id": _digest(secret)[:16],
            "name": name,
            "scopes": check_scopes(scopes),
            "created_at": datetime.now(UTC).isoformat(),
        }
        self.table.put({"pk": _PARTITION, "sk": _digest(secret), **row})
        return secret, row

    def all(self) -> Iterator[Item]:
        """Return every key's row, without anything secret."""
        for row in self.table.query(_PARTITION):
            yield {n: v for n, v in row.items() if n not in ("pk", "sk")}

    def find(self, secret: str) -> Item | None:
        """Return the row of the key with this secret."""
        return self.table.get(_PARTITION, _digest(secret))

    def revoke(self, key_id: str) -> None:
        """Remove a key by its id; raise NotFoundError when there is none."""
        for row in self.table.query(_PARTITION):
            if row["id"] == key_id:
                self.table.delete(_PARTITION, row["sk"])
                return
        raise NotFoundError(f"There is no API key {key_id}.")


def _digest(secret: str) -> str:
    # The secret holds 256 random bits, so a plain hash can be neither reversed nor
    # guessed, and looking it up by hash compares nothing secret byte by byte.
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(slots=True)
class Gatekeeper:
    """Turns what a request carries into a principal."""

    mode: AuthMode
    keys: KeyStore
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[float, Principal]] = field(default_factory=dict)

    def identify(
        self, headers: Mapping[str, str], query: Mapping[str, Any] | None = None
    ) -> Principal:
        """
        Return the caller, from `Authorization: Bearer` or the `token` query parameter.

        The parameter is for browsers, which cannot set a header on a WebSocket.
        Raises AuthenticationError when there is no valid key and the door is shut.
        """
        if self.mode == "open":
            return ANYBODY
        secret = _token(headers) or str((query or {}).get("token") or "")
        if not secret:
            raise AuthenticationError(
                "This needs an API key: send the header 'Authorization: Bearer ey_...'."
            )
        return self._principal(secret)

    def _principal(self, secret: str) -> Principal:
        until, principal = self._seen.get(_digest(secret), (0.0, ANYBODY))
        if until > self.clock():
            return principal
        row = self.keys.find(secret)
        if row is None:
            raise AuthenticationError("This API key is unknown or was revoked.")
        principal = Principal(row["name"], frozenset(row["scopes"]), row["id"])
        self._seen[_digest(secret)] = (self.clock() + _CACHE_SECONDS, principal)
        return principal


def _token(headers: Mapping[str, str]) -> str:
    # Gateways pass header names as they came; HTTP does not care for their case.
    value = next((v for n, v in headers.items() if n.lower() == "authorization"), "")
    match = _BEARER.fullmatch(value.strip())
    return match["token"] if match else ""
