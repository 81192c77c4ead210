"""Payloads that only those read who have the key: AES-256-GCM, end to end."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps, loads

ALGORITHM: Final = "AES-256-GCM"
#: The attribute of an event whose payload is sealed: with which key.
MARK: Final = "encrypted"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class DecryptionError(EventRouterError):
    """A payload cannot be read: another key, or somebody changed it."""

    code = "decryption_failed"


@dataclass(frozen=True, slots=True)
class Sealing:
    """
    Seals payloads with one key, and opens those of all that it has.

    The event's id and type are bound to it: a payload moved to another event cannot be
    read. To change keys, give the new one as `key` and the old ones in `keys`.
    """

    key_id: str = ""
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Read settings; without any nothing is sealed. Raises InvalidRequestError."""
        if not told or not told.get("enabled", True):
            return cls()
        if told.get("algorithm", ALGORITHM) != ALGORITHM:
            raise InvalidRequestError(f"The algorithm is {ALGORITHM}, and no other.")
        _require_library()
        key_id = str(told.get("key_id", "1"))
        keys = {str(name): _key(key) for name, key in told.get("keys", {}).items()}
        if told.get("key") is not None:
            keys[key_id] = _key(told["key"])
        if key_id not in keys:
            raise InvalidRequestError(f"There is no encryption key {key_id!r}.")
        return cls(key_id, keys)

    @property
    def is_on(self) -> bool:
        """Tell whether payloads are sealed."""
        return bool(self.keys)

    def sealed(self, event: Event) -> Event:
        """Return an event whose payload nobody reads without the key."""
        if not self.is_on or event.attributes.get(MARK) is not None:
            return event
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(self.keys[self.key_id])
        text = dumps(event.payload).encode()
        data = cipher.encrypt(nonce, text, _bound(event, self.key_id))
        packed = base64.b64encode(nonce + data).decode()
        return event.copy(payload={"ciphertext": packed}, **{MARK: self.key_id})

    def opened(self, event: Event) -> Event:
        """Return an event with its payload as it was; raises DecryptionError."""
        key_id = event.attributes.get(MARK)
        if key_id is None or not self.is_on:
            return event
        key = self.keys.get(str(key_id))
        if key is None:
            raise DecryptionError(f"{event!r} is encrypted with the key {key_id!r}.")
        return event.copy(payload=_opened(event, str(key_id), key), **{MARK: None})


def _opened(event: Event, key_id: str, key: bytes) -> Any:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        packed = base64.b64decode(event.payload["ciphertext"], validate=True)
        nonce, data = packed[:_NONCE_BYTES], packed[_NONCE_BYTES:]
        return loads(AESGCM(key).decrypt(nonce, data, _bound(event, key_id)))
    except (InvalidTag, KeyError, TypeError, ValueError) as error:
        raise DecryptionError(
            f"{event!r} cannot be read with the key {key_id!r}: it is another key, or "
            "the payload was changed."
        ) from error


def _bound(event: Event, key_id: str) -> bytes:
    return f"{event.id}\n{event.type}\n{key_id}".encode()


def _key(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else _decoded(str(value))
    if len(raw) != _KEY_BYTES:
        raise InvalidRequestError(
            f"An encryption key has {_KEY_BYTES} bytes (or is that in base64 or hex), "
            f"not {len(raw)}. Make one with `openssl rand -base64 32`."
        )
    return raw


def _decoded(text: str) -> bytes:
    if len(text) == _KEY_BYTES * 2:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode()


def _require_library() -> None:
    try:
        import cryptography  # noqa: F401 - whether it is there
    except ImportError:
        raise InvalidRequestError(
            "Encryption needs a library: pip install 'eventyard[crypto]'"
        ) from None
