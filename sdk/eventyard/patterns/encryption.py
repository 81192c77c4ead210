"""Payloads that only those read who have the key: AES-256-GCM, end to end."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from eventyard.core.errors import EventRouterError, InvalidRequestError, RequestError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps, loads

ALGORITHM: Final = "AES-256-GCM"
#: The attribute of an event whose payload is sealed: with which key.
MARK: Final = "encrypted"
_TEXT: Final = "ciphertext"
_STREAM: Final = "stream_id"
_REPLY_TO: Final = "reply_to"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class DecryptionError(EventRouterError):
    """A payload cannot be read: another key, or somebody changed it."""

    code = "decryption_failed"


@dataclass(frozen=True, slots=True)
class Sealing:
    """
    Seals payloads with one key, and opens those of all that it has.

    What a payload belongs to is bound to it, so that one moved elsewhere cannot be
    read: the event's id and type; where the router gives the ids, the stream, or the
    question's correlation id, and the type; of an answer, the address that it is for.
    To change keys, give the new one as `key` and the old ones in `keys`.
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
            raise InvalidRequestError(
                f"There is no encryption key {key_id!r}: give it as `key`, or in `keys`."
            )
        return cls(key_id, keys)

    @property
    def is_on(self) -> bool:
        """Tell whether payloads are sealed."""
        return bool(self.keys)

    def sealed(self, event: Event, *, stream: str | None = None) -> Event:
        """Return an event whose payload nobody else reads, as it goes into a stream."""
        belongs = _belongs(event) if stream is None else _of_stream(stream, event)
        return self._sealed(event, belongs)

    def sealed_request(self, event: Event) -> Event:
        """Return a question that nobody else reads; it has a correlation_id."""
        return self._sealed(event, _of_request(event))

    def _sealed(self, event: Event, belongs: str) -> Event:
        if not self.is_on or _is_sealed(event):
            return event
        packed = self._seal(event.payload, belongs)
        return event.copy(payload={_TEXT: packed}, **{MARK: self.key_id})

    def opened(self, event: Event) -> Event:
        """Return an event with its payload as it was; raises DecryptionError."""
        key_id = event.attributes.get(MARK)
        if key_id is None or not self.is_on:
            return event
        payload = self._open(event.payload, str(key_id), _belongs(event), repr(event))
        return event.copy(payload=payload, **{MARK: None})

    def sealed_answer(self, request: Event, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the payload of an answer that only who asked can read."""
        if not self.is_on:
            return payload
        belongs = _answers(str(request.attributes.get(_REPLY_TO)))
        return {_TEXT: self._seal(payload, belongs), MARK: self.key_id}

    def opened_answer(self, answer: Event) -> Event:
        """Return an answer as it can be read; raises DecryptionError."""
        payload = answer.payload
        if not self.is_on or not isinstance(payload, Mapping) or _TEXT not in payload:
            return answer
        belongs = _answers(answer.type)
        key_id = str(payload.get(MARK))
        opened = self._open(payload, key_id, belongs, repr(answer))
        return answer.copy(payload=opened)

    def sealed_error(self, error: dict[str, str]) -> dict[str, str]:
        """Return what is told of an error; its message may hold what is secret."""
        if not self.is_on:
            return error
        belongs = f"error\n{error['type']}"
        text = f"{self.key_id}:{self._seal(error['message'], belongs)}"
        return {"type": error["type"], "message": f"{MARK}:{text}"}

    def opened_error(self, error: RequestError) -> RequestError:
        """Return what a responder said, as it can be read."""
        kind = str(error.details.get("type"))
        mark, _, text = str(error.details.get("message")).partition(":")
        if not self.is_on or mark != MARK:
            return error
        key_id, _, packed = text.partition(":")
        said = self._open({_TEXT: packed}, key_id, f"error\n{kind}", "the error")
        told = {**error.details, "message": said}
        return RequestError(f"The responder failed: {said}", details=told)

    def _seal(self, value: Any, belongs: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        bound = f"{belongs}\n{self.key_id}".encode()
        data = AESGCM(self.keys[self.key_id]).encrypt(
            nonce, dumps(value).encode(), bound
        )
        return base64.b64encode(nonce + data).decode()

    def _open(self, payload: Any, key_id: str, belongs: str, what: str) -> Any:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self.keys.get(key_id)
        if key is None:
            raise DecryptionError(
                f"{what} is encrypted with the key {key_id!r}: give it in `keys`."
            )
        try:
            packed = base64.b64decode(payload[_TEXT], validate=True)
            nonce, data = packed[:_NONCE_BYTES], packed[_NONCE_BYTES:]
            bound = f"{belongs}\n{key_id}".encode()
            return loads(AESGCM(key).decrypt(nonce, data, bound))
        except (
            InvalidTag,
            KeyError,
            TypeError,
            ValueError,
            InvalidRequestError,
        ) as error:
            raise DecryptionError(
                f"{what} cannot be read with the key {key_id!r}: it is another key, or "
                "the payload was changed."
            ) from error


def _is_sealed(event: Event) -> bool:
    payload = event.payload
    return (
        event.attributes.get(MARK) is not None
        and isinstance(payload, Mapping)
        and set(payload) == {_TEXT}
    )


def _belongs(event: Event) -> str:
    """Return what the payload of an event is bound to."""
    stream = event.attributes.get(_STREAM)
    if stream is not None:
        return _of_stream(stream, event)
    if event.attributes.get(_REPLY_TO) is not None:
        return _of_request(event)
    return f"{event.id}\n{event.type}"


def _of_stream(stream: object, event: Event) -> str:
    return f"stream\n{stream}\n{event.type}"


def _of_request(event: Event) -> str:
    return f"request\n{event.correlation_id}\n{event.type}"


def _answers(address: str) -> str:
    return f"answer\n{address}"


def _key(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else _decoded(str(value))
    if len(raw) != _KEY_BYTES:
        raise InvalidRequestError(
            f"An encryption key has {_KEY_BYTES} bytes (or is that in base64 or hex), "
            f"not {len(raw)}. Make one with `openssl rand -base64 32`."
        )
    return raw


def _decoded(text: str) -> bytes:
    if len(text.encode()) == _KEY_BYTES:
        return text.encode()
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
