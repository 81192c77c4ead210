"""Signatures of webhooks: how senders make them, and whether one is genuine."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets as chance
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from eventyard.core import moments
from eventyard.core.errors import InvalidRequestError

Algorithm = Literal["sha256", "sha1", "sha512"]
Encoding = Literal["hex", "base64"]

#: How far from now the timestamp of a delivery may be, in seconds.
TOLERANCE_S: Final = 300
_WHSEC: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_SECRET_LENGTH: Final = range(16, 257)
_SECONDS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_MILLISECONDS: Final = re.compile(r"[0-9]{13}", re.ASCII)
#: What stands between the parts of a header: `t=1,v1=...` or `ts=1;h1=...`.
_BETWEEN: Final = re.compile(r"[,;\s]+")
_SLOT: Final = re.compile(r"(\{timestamp\}|\{body\})")


@dataclass(frozen=True, slots=True)
class Standard:
    """Standard Webhooks 1.0; some senders still use an older name for its headers."""

    headers: Literal["webhook", "svix"] = "webhook"

    def header(self, what: Literal["id", "timestamp", "signature"]) -> str:
        """Return the name of a header, in lower case."""
        return f"{self.headers}-{what}"


@dataclass(frozen=True, slots=True)
class Hmac:
    """An HMAC of the body, and of a timestamp where there is one, in a header."""

    header: str
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    #: What stands before the signature: `sha256=`.
    prefix: str = ""
    timestamp_header: str | None = None
    #: What stands before the timestamp: `t=`.
    timestamp_prefix: str = ""
    #: What is signed; `{timestamp}.{body}` unless told where there is a timestamp.
    template: str | None = None
    tolerance_s: int = TOLERANCE_S

    @property
    def signed(self) -> str:
        """Return the template of what is signed."""
        default = "{timestamp}.{body}" if self.timestamp_header else "{body}"
        return self.template or default


Scheme = Standard | Hmac


def new_secret(scheme: Scheme) -> str:
    """Make a secret of 256 random bits."""
    if isinstance(scheme, Standard):
        return _WHSEC + base64.b64encode(chance.token_bytes(32)).decode()
    return chance.token_hex(32)


def check_secret(scheme: Scheme, secret: str) -> str:
    """Return a secret that fits a scheme, or raise InvalidRequestError."""
    if isinstance(scheme, Standard):
        fault = None if _is_whsec(secret) else "whsec_ and the base64 of 24 to 64 bytes"
    else:
        fits = len(secret) in _SECRET_LENGTH and secret.isprintable()
        fault = None if fits else "16 to 256 printable characters"
    if fault:
        raise InvalidRequestError(
            f"secret: {fault}; leave it out to get one made.",
            details={"field": "secret"},
        )
    return secret


def _is_whsec(secret: str) -> bool:
    text = secret.removeprefix(_WHSEC)
    try:
        # Some senders leave the padding out.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(_WHSEC) and len(key) in _KEY_BYTES


def fault_of(
    scheme: Scheme,
    secrets: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> str | None:
    """
    Return why a delivery is not genuine, or None if it is.

    `headers` by their names in lower case, `now` in Unix seconds. Signatures are
    compared in constant time, and as bytes: how they are written does not matter. The
    answer is for the log: whoever sent it learns nothing from it.
    """
    if isinstance(scheme, Standard):
        return _standard_fault(scheme, secrets, headers, body, now)
    return _hmac_fault(scheme, secrets, headers, body, now)


def _standard_fault(
    scheme: Standard,
    secrets: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> str | None:
    from standardwebhooks.webhooks import Webhook

    ident = headers.get(scheme.header("id"))
    said = headers.get(scheme.header("timestamp"), "")
    if not ident or not _SECONDS.fullmatch(said):
        return "its id or its timestamp is missing or is none"
    moment = datetime.fromtimestamp(int(said), UTC)
    try:
        text = body.decode()
        expected = [Webhook(secret).sign(ident, moment, text) for secret in secrets]
    except UnicodeError:
        return "it is no text"
    # The library would verify as well, but goes by a clock of its own, and gives up at
    # the first of several signatures that it cannot read.
    values = headers.get(scheme.header("signature"), "").split()
    offered = _read(_behind("v1,", values), "base64")
    made = _read(_behind("v1,", expected), "base64")
    return _verdict(made, offered) or _staleness(moment, TOLERANCE_S, now)


def _hmac_fault(
    scheme: Hmac,
    secrets: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> str | None:
    said = _said(scheme, headers)
    text = _filled(scheme.signed, said, body)
    made = [hmac.digest(secret.encode(), text, scheme.algorithm) for secret in secrets]
    values = _parts(headers.get(scheme.header.lower(), ""))
    offered = _read(_behind(scheme.prefix, values), scheme.encoding)
    fault = _verdict(made, offered)
    if fault or not scheme.timestamp_header:
        return fault
    moment = _moment(said)
    if moment is None:
        return f"{scheme.timestamp_header} is missing or is no time"
    return _staleness(moment, scheme.tolerance_s, now)


def _said(scheme: Hmac, headers: Mapping[str, str]) -> str:
    value = headers.get((scheme.timestamp_header or "").lower(), "")
    prefix = scheme.timestamp_prefix
    return next(_behind(prefix, _BETWEEN.split(value)), "") if prefix else value


def _filled(template: str, said: str, body: bytes) -> bytes:
    # Slot by slot: a timestamp that reads `{body}` is no slot.
    slots = {"{timestamp}": said.encode(errors="replace"), "{body}": body}
    return b"".join(slots.get(part, part.encode()) for part in _SLOT.split(template))


def _parts(value: str) -> list[str]:
    # A prefix may hold what stands between parts, so the whole is looked at as well.
    return [value, *_BETWEEN.split(value)]


def _behind(prefix: str, values: Iterable[str]) -> Iterator[str]:
    return (v.removeprefix(prefix) for v in values if v.startswith(prefix))


def _read(texts: Iterable[str], encoding: Encoding) -> list[bytes]:
    return [read for text in texts if (read := _decoded(text, encoding))]


def _decoded(text: str, encoding: Encoding) -> bytes:
    try:
        if encoding == "hex":
            return binascii.unhexlify(text)
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, text beyond ASCII is another
        return b""


def _verdict(made: Iterable[bytes], offered: list[bytes]) -> str | None:
    # All are compared, so that it takes as long whichever secret is the right one.
    same = [hmac.compare_digest(one, other) for one in made for other in offered]
    if any(same):
        return None
    return "no signature fits" if offered else "the signature is missing or is none"


def _moment(said: str) -> datetime | None:
    if _SECONDS.fullmatch(said):
        return datetime.fromtimestamp(int(said), UTC)
    if _MILLISECONDS.fullmatch(said):
        return datetime.fromtimestamp(int(said) / 1000, UTC)
    try:
        return moments.read(said)
    except ValueError:
        return None


def _staleness(moment: datetime, tolerance_s: int, now: float) -> str | None:
    away = now - moment.timestamp()
    if abs(away) <= tolerance_s:
        return None
    return f"its timestamp is {abs(away):.0f} s {'old' if away > 0 else 'ahead'}"
