"""Who is calling, and what they may do: principals, their scopes, the gatekeeper."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.config import AuthMode
from eventyard.core.errors import (
    AuthenticationError,
    EventRouterError,
    InvalidRequestError,
    PermissionDeniedError,
)
from eventyard.core.topics import compile_pattern

#: What a key may be allowed. Those about events may end in `:<topic pattern>`, those
#: about memories in `:<pattern>` for the ids of agents.
SCOPES: Final = (
    "admin",
    "circles:read",
    "circles:write",
    "events:publish",
    "events:subscribe",
    "graph:read",
    "graph:write",
    "jobs:read",
    "jobs:submit",
    "memories:read",
    "memories:write",
    "pulls:read",
    "pulls:write",
)
_FOR_TOPICS: Final = (
    "events:publish",
    "events:subscribe",
    "memories:read",
    "memories:write",
)
# Tokens of identity providers have a kilobyte or two; gateways take 10 KB of headers.
_BEARER: Final = re.compile(
    r"Bearer +(?P<token>[A-Za-z0-9_\-.~+/=]{1,8192})", re.IGNORECASE
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
    #: When what they showed expires, in Unix seconds; None means never.
    until: float | None = None

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


def known_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return those of the scopes that mean something here."""
    return frozenset(scope for scope in scopes if _is_known(scope))


def _is_known(scope: str) -> bool:
    try:
        _check_scope(scope)
    except EventRouterError:
        return False
    return True


def _check_scope(scope: str) -> None:
    if scope in SCOPES:
        return
    # A topic may hold colons itself.
    base = next((s for s in _FOR_TOPICS if scope.startswith(s + ":")), None)
    if base is None:
        raise InvalidRequestError(
            f"Unknown scope {scope!r}; the scopes are {', '.join(SCOPES)}, those "
            "about events also with a topic pattern, as events:publish:order.*, those "
            "about memories with one for agents, as memories:read:team.*"
        )
    compile_pattern(scope.removeprefix(base + ":"))


def fingerprint(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256."""
    # The secrets hold 256 random bits, so a plain hash can be neither reversed nor
    # guessed, and looking one up by hash compares nothing secret byte by byte.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


#: Tells whom a credential of one kind stands for; raises AuthenticationError.
Reader = Callable[[str], Principal]


@dataclass(slots=True)
class Gatekeeper:
    """Turns what a request carries into a principal."""

    mode: AuthMode
    #: Reads an API key.
    keys: Reader
    #: Reads a JSON Web Token.
    tokens: Reader
    #: Takes a ticket, which works once.
    tickets: Reader
    clock: Callable[[], float] = time.time
    _seen: dict[str, tuple[float, Principal]] = field(default_factory=dict)

    def identify(
        self, headers: Mapping[str, str], query: Mapping[str, Any] | None = None
    ) -> Principal:
        """
        Return the caller, from `Authorization: Bearer`, an API key or a JWT.

        A browser cannot set a header on a WebSocket: there a `ticket` in the query
        does, or a `token` with what the header would have held.
        Raises AuthenticationError when there is nothing valid and the door is shut.
        """
        if self.mode == "open":
            return ANYBODY
        query = query or {}
        secret = _token(headers) or str(query.get("token") or "")
        if secret:
            return self._bearer(secret)
        if query.get("ticket"):
            return self.tickets(str(query["ticket"]))
        raise AuthenticationError(
            "This needs an API key: send the header 'Authorization: Bearer ey_...'."
        )

    def _bearer(self, secret: str) -> Principal:
        # No API key has a dot in it, every JWT has two.
        return self.tokens(secret) if "." in secret else self._key(secret)

    def _key(self, secret: str) -> Principal:
        name, now = fingerprint(secret), self.clock()
        until, principal = self._seen.get(name, (0.0, ANYBODY))
        if until > now:
            return principal
        principal = self.keys(secret)
        kept = now + _CACHE_SECONDS
        # What was read is trusted for a while, but never beyond its expiry.
        until = kept if principal.until is None else min(kept, principal.until)
        self._seen[name] = (until, principal)
        return principal

    def forget(self, principal_id: str) -> None:
        """Read a key anew the next time; other processes do within half a minute."""
        self._seen = {n: s for n, s in self._seen.items() if s[1].id != principal_id}


def _token(headers: Mapping[str, str]) -> str:
    # Gateways pass header names as they came; HTTP does not care for their case.
    value = next((v for n, v in headers.items() if n.lower() == "authorization"), "")
    match = _BEARER.fullmatch(value.strip())
    return match["token"] if match else ""
