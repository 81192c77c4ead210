"""JSON Web Tokens of one issuer, checked against the keys that it publishes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from chalicelib.auth import Principal, known_scopes
from chalicelib.config import Jwt
from chalicelib.telemetry import log_error
from eventyard.core.errors import AuthenticationError, UnavailableError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

#: So far the issuer's clock and ours may differ, in seconds.
LEEWAY_SECONDS: Final = 30
#: How long the issuer's keys are trusted after they were read.
KEPT_SECONDS: Final = 600.0
#: How often they are read again for a key that is not among them ...
AGAIN_SECONDS: Final = 30.0
#: ... and after the issuer could not be reached.
_RETRY_SECONDS: Final = 3.0
_FETCH_SECONDS: Final = 5.0
_MOST_BYTES: Final = 1_000_000
_LONGEST_SUBJECT: Final = 255
_OK: Final = 200
#: What each kind of key, by type and curve, may be used with. Nothing symmetric: a
#: public key must never pass for a shared secret.
_ALGORITHMS: Final = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
_ALLOWED: Final = frozenset(name for names in _ALGORITHMS.values() for name in names)
#: Where providers put what a token may be used for, the first that is there counts.
_SCOPE_CLAIMS: Final = ("scope", "scp", "permissions")

Key = Mapping[str, Any]


@dataclass(slots=True)
class IssuerKeys:
    """The issuer's published keys (a JWKS), read when they are needed."""

    url: str
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, Key] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _tried_at: float = float("-inf")
    _failed: bool = False

    def find(self, key_id: str) -> Key:
        """
        Return a key by its id (`kid`).

        Raises AuthenticationError when the issuer has none of this id, and
        UnavailableError when the issuer cannot be asked.
        """
        now = self.clock()
        known = self._keys if now - self._read_at < KEPT_SECONDS else {}
        if key_id not in known:
            known = self._reread(now)
        if key_id not in known:
            raise AuthenticationError("This token's key (kid) is none of its issuer's.")
        return known[key_id]

    def _reread(self, now: float) -> dict[str, Key]:
        waits = _RETRY_SECONDS if self._failed else AGAIN_SECONDS
        if now - self._tried_at < waits:
            if self._failed:
                raise _unreachable()
            return self._keys
        self._tried_at, self._failed = now, True
        self._keys = _keys_in(_fetch(self.url))
        self._read_at, self._failed = now, False
        return self._keys


def _unreachable() -> UnavailableError:
    return UnavailableError("The issuer of tokens cannot be asked now; try again.")


def _fetch(url: str) -> bytes:
    from urllib3 import PoolManager
    from urllib3.exceptions import HTTPError

    until = time.monotonic() + _FETCH_SECONDS
    try:
        with PoolManager(retries=False, timeout=_FETCH_SECONDS) as pool:
            answer = pool.request("GET", url, preload_content=False)
            return _read(answer, until)
    except (HTTPError, OSError, ValueError) as error:
        log_error("the issuer's keys were not read", error, url=url)
        raise _unreachable() from None


def _read(answer: BaseHTTPResponse, until: float) -> bytes:
    if answer.status != _OK:
        raise ValueError(f"the answer was {answer.status}")
    body = b""
    while part := answer.read1(65_536):
        body += part
        # The time-out of a socket begins again with every byte.
        if len(body) > _MOST_BYTES or time.monotonic() > until:
            raise ValueError("the answer is too large, or too slow")
    return body


def _keys_in(body: bytes) -> dict[str, Key]:
    try:
        listed = json.loads(body)["keys"]
        return {key["kid"]: key for key in listed if _is_usable(key)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        log_error("the issuer's keys make no sense", error)
        raise _unreachable() from None


def _is_usable(key: Any) -> bool:
    # Of what we do not know nothing is made: an issuer may publish other keys too.
    return (
        isinstance(key, Mapping)
        and isinstance(key.get("kid"), str)
        and key.get("use", "sig") == "sig"
        and bool(_algorithms_of(key))
    )


def _algorithms_of(key: Key) -> tuple[str, ...]:
    kind, curve = key.get("kty"), key.get("crv")
    fitting = _ALGORITHMS.get((str(kind), None if kind == "RSA" else str(curve)), ())
    return tuple(name for name in fitting if key.get("alg", name) == name)


@dataclass(frozen=True, slots=True)
class TokenReader:
    """Tells whom a token stands for, where the settings name an issuer."""

    settings: Jwt | None
    keys: IssuerKeys

    def read(self, token: str) -> Principal:
        """
        Check a token and return its principal, with the scopes known here.

        Raises AuthenticationError saying what is wrong, and UnavailableError when
        the issuer's keys are needed and cannot be had.
        """
        if self.settings is None:
            raise AuthenticationError("Tokens are not accepted here; send an API key.")
        import jwt

        try:
            return _principal(self._claims(token, self.settings))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise AuthenticationError(f"This token is not valid: {error}") from None

    def _claims(self, token: str, settings: Jwt) -> dict[str, Any]:
        import jwt

        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in _ALLOWED:
            raise jwt.InvalidAlgorithmError("its algorithm is none of those allowed")
        if "kid" not in header:
            raise jwt.InvalidTokenError("it does not name its key (kid)")
        key = self.keys.find(header["kid"])
        if algorithm not in _algorithms_of(key):
            raise jwt.InvalidAlgorithmError("its algorithm does not fit its key")
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=[algorithm],
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub"], "enforce_minimum_key_length": True},
        )
        if not 1 <= len(claims["sub"]) <= _LONGEST_SUBJECT:
            raise jwt.InvalidTokenError("its subject is empty or too long")
        return claims


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject: str = claims["sub"]
    # No key's id has a colon: nobody can be taken for somebody else.
    identity = f"jwt:{subject}"
    until = float(int(claims["exp"]))
    return Principal(subject, known_scopes(_scopes_in(claims)), identity, until)


def _scopes_in(claims: Mapping[str, Any]) -> list[str]:
    told = next((claims[n] for n in _SCOPE_CLAIMS if claims.get(n) is not None), "")
    members = told.split() if isinstance(told, str) else told
    found = members if isinstance(members, list) else []
    return [scope for scope in found if isinstance(scope, str)]
