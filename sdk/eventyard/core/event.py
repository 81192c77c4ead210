"""The event: one fact, the same class on the server and in the package."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Self

from eventyard.core import _fields, moments
from eventyard.core.errors import ValidationError
from eventyard.core.jsontext import dumps, loads
from eventyard.core.ulid import new_ulid

_UNSET: Any = object()
_DEFAULTS = {
    "source": None,
    "target": None,
    "priority": 5,
    "correlation_id": None,
    "causation_id": None,
    "ttl": None,
    "expires_at": None,
    "version": None,
    "attempts": 0,
    "max_attempts": 3,
    "last_error": None,
    "dataref": None,
}
_NUMBERS = {name: value for name, value in _DEFAULTS.items() if value is not None}
_NAMES = frozenset({*_fields.CHECKS, "data"})
_WRITTEN_WHEN_SET = tuple(
    name
    for name in _fields.CHECKS
    if name not in ("id", "type", "payload", "source", "priority", "timestamp")
)
_COLLECTIONS = ("headers", "tags", "attributes")


class Event:
    """
    A fact of some `type`, with a JSON `payload` and what else is known about it.

    Keywords that name no field become `attributes`, which read like fields; one
    that was never set reads as None. Giving None to an optional field unsets it.

    Raises:
        ValidationError: a field does not hold what it may, at construction or when
            it is set; `details["field"]` says which.
    """

    #: Unique for its source; `evt_` and a ULID unless the publisher chose it.
    id: str
    #: A dotted topic.
    type: str
    #: Any JSON value; `data` is another name for it.
    payload: Any
    #: When it happened, in UTC.
    timestamp: datetime
    #: Who published it.
    source: str | None = None
    #: Whom it is for, if for one.
    target: str | None = None
    #: 1 (lowest) to 10 (highest).
    priority: int = 5
    #: Shared by all events of one conversation.
    correlation_id: str | None = None
    #: The id of the event that led to this one.
    causation_id: str | None = None
    #: Seconds after `timestamp` during which it is worth delivering.
    ttl: float | None = None
    #: When it stops being worth delivering; follows from `ttl` unless given.
    expires_at: datetime | None = None
    #: Its place in its event stream.
    version: int | None = None
    headers: dict[str, str]
    tags: list[str]
    #: How often delivery was tried.
    attempts: int = 0
    #: How often delivery may be tried.
    max_attempts: int = 3
    last_error: str | None = None
    #: Where the payload lies when it is too large to travel along.
    dataref: str | None = None
    #: Whatever else the publisher told.
    attributes: dict[str, Any]

    def __init__(
        self,
        type: str | Enum = _UNSET,  # noqa: A002
        payload: Any = _UNSET,
        /,
        **fields: Any,
    ) -> None:
        _complete(fields, type, payload)
        self.__dict__.update(headers={}, tags=[])
        self.attributes = fields.pop("attributes", None)
        for name, value in fields.items():
            if name in _fields.CHECKS:
                self._put(name, value)
            else:
                self._put_attribute(name, value)
        if self.ttl is not None and self.expires_at is None:
            self.expires_at = _after(self.timestamp, self.ttl)

    @property
    def data(self) -> Any:
        """The payload, by the name that CloudEvents give it."""
        return self.payload

    @data.setter
    def data(self, value: Any) -> None:
        self.payload = value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _fields.CHECKS:
            self._put(name, value)
        elif name == "data":
            object.__setattr__(self, name, value)
        elif name.startswith("_"):
            raise AttributeError(f"an event has no {name}")
        else:
            self._put_attribute(name, value)

    def _put(self, name: str, value: Any) -> None:
        optional = name in _DEFAULTS
        if not (optional and value is None):
            value = _fields.check(name, value)
        # What equals its default is not kept, so equal events have equal state.
        if optional and (value is None or value == _DEFAULTS[name]):
            self.__dict__.pop(name, None)
        else:
            self.__dict__[name] = value

    def _put_attribute(self, name: str, value: Any) -> None:
        _fields.attribute(name, value)
        if value is None:
            self.attributes.pop(name, None)
        else:
            self.attributes[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"an event has no {name}")
        return self.__dict__.get("attributes", {}).get(name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Event {self.type} {self.id}>"

    def copy(self, **changes: Any) -> Self:
        """Return this event with some fields changed; the payload itself is shared."""
        fields = {**self.__dict__, **changes}
        if "data" in changes:
            fields["payload"] = fields.pop("data")
        if "ttl" in changes and "expires_at" not in changes:
            fields.pop("expires_at", None)
        return type(self)(**fields)

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the event was no longer worth delivering at `now` (aware)."""
        return self.expires_at is not None and self.expires_at <= now

    def matches_filter(self, **fields: Any) -> bool:
        """Tell whether all of these fields are as given; unknown ones are None."""
        return all(getattr(self, name) == value for name, value in fields.items())

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form: JSON values, only what is set beyond the basics."""
        wire = {
            "id": self.id,
            "type": self.type,
            "payload": self.payload,
            "source": self.source,
            "priority": self.priority,
            "timestamp": moments.write(self.timestamp),
        }
        for name in _WRITTEN_WHEN_SET:
            value = self.__dict__.get(name)
            if value not in (None, {}, []):
                wire[name] = value
        if self.expires_at is not None:
            wire["expires_at"] = moments.write(self.expires_at)
        return wire

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the wire form, taking keys that name no field for attributes."""
        if not isinstance(data, Mapping):
            raise ValidationError(f"an event must be an object, not {data!r:.40}")
        return cls(**data)

    def to_json(self) -> str:
        """Write the wire form as compact JSON."""
        return dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the wire form from JSON, as `loads` accepts it."""
        return cls.from_dict(loads(text))

    def view(self) -> dict[str, Any]:
        """Return what filters look at: what is set, flat, `data` beside `payload`."""
        extras = self.attributes
        view = {name: extras[name] for name in extras if name not in _NAMES}
        view |= _NUMBERS
        view |= self.__dict__
        view["data"] = self.payload
        view["timestamp"] = moments.write(self.timestamp)
        if self.expires_at is not None:
            view["expires_at"] = moments.write(self.expires_at)
        for name in _COLLECTIONS:
            if not view[name]:
                del view[name]
        return view


def _complete(fields: dict[str, Any], topic: Any, payload: Any) -> None:
    if topic is not _UNSET:
        fields["type"] = topic
    elif "type" not in fields:
        raise ValidationError("type is required", details={"field": "type"})
    if payload is not _UNSET:
        fields["payload"] = payload
    if "data" in fields:
        if "payload" in fields:
            raise ValidationError(
                "payload is given twice, once as data", details={"field": "payload"}
            )
        fields["payload"] = fields.pop("data")
    fields.setdefault("payload", {})
    if fields.get("id") is None:
        fields["id"] = "evt_" + new_ulid()
    if fields.get("timestamp") is None:
        fields["timestamp"] = datetime.now(UTC)


def _after(moment: datetime, seconds: float) -> datetime:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError as exc:
        raise ValidationError(
            "ttl ends after the year 9999", details={"field": "ttl"}
        ) from exc
