"""Events as CloudEvents 1.0, and the JSON text both travel in."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from eventyard.core.errors import InvalidRequestError, ValidationError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps, loads

__all__ = [
    "MEDIA_BATCH",
    "MEDIA_CLOUDEVENT",
    "dumps",
    "from_cloudevent",
    "loads",
    "to_cloudevent",
]

MEDIA_CLOUDEVENT = "application/cloudevents+json"
MEDIA_BATCH = "application/cloudevents-batch+json"

_VERSION = "1.0"
_HERE = "/eventyard"
_JSON = "application/json"
#: Carries, as a JSON object, what CloudEvents have no place for.
_EXTRA = "eventyardextra"

# The CloudEvents attribute and the field of ours that mean the same.
_FIELDS = {
    "id": "id",
    "source": "source",
    "type": "type",
    "time": "timestamp",
    "priority": "priority",
    "target": "target",
    "dataref": "dataref",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
    "expirytime": "expires_at",
}
_ATTRIBUTES = {field: attribute for attribute, field in _FIELDS.items()}
_NOT_ATTRIBUTES = {*_FIELDS, "specversion", "data", "data_base64", _EXTRA}
_EXTRA_FIELDS = (
    "source",
    "ttl",
    "version",
    "headers",
    "tags",
    "attempts",
    "max_attempts",
    "last_error",
    "attributes",
)

_EXTENSION = re.compile(r"[a-z][a-z0-9]{0,19}")
_JSON_MEDIA = re.compile(r"[a-z]+/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_TEXT_MEDIA = re.compile(r"text/[a-z0-9.+-]+\s*(?:;.*)?", re.IGNORECASE)
_INTEGERS = range(-(2**31), 2**31)


def to_cloudevent(event: Event) -> dict[str, Any]:
    """Return the event as a CloudEvent in JSON form; nothing is lost."""
    wire = event.to_dict()
    extra = {name: wire[name] for name in _EXTRA_FIELDS[1:-1] if name in wire}
    if event.source in ("", _HERE):
        extra["source"] = event.source
    cloud: dict[str, Any] = {"specversion": _VERSION}
    for field, attribute in _ATTRIBUTES.items():
        if field in wire:
            cloud[attribute] = wire[field]
    cloud["source"] = event.source or _HERE
    plain, odd = _split(event)
    cloud |= {"datacontenttype": _JSON} | plain
    if odd:
        extra["attributes"] = odd
    if extra:
        cloud[_EXTRA] = dumps(extra)
    return cloud | {"data": event.payload}


def _split(event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    plain: dict[str, Any] = {}
    odd: dict[str, Any] = {}
    for name, value in event.attributes.items():
        fits = _is_extension(name, value) and (
            name != "datacontenttype" or _describes(value, event.payload)
        )
        (plain if fits else odd)[name] = value
    return plain, odd


def _is_extension(name: str, value: Any) -> bool:
    if name in _NOT_ATTRIBUTES or _EXTENSION.fullmatch(name) is None:
        return False
    if isinstance(value, bool | str):
        return True
    return isinstance(value, int) and value in _INTEGERS


def _describes(media: Any, payload: Any) -> bool:
    if not isinstance(media, str) or media == _JSON:
        return False
    if _TEXT_MEDIA.fullmatch(media):
        return isinstance(payload, str)
    return _JSON_MEDIA.fullmatch(media) is not None


def from_cloudevent(cloud: Mapping[str, Any]) -> Event:
    """
    Read a CloudEvent in JSON form.

    Raises:
        ValidationError: an attribute is missing or not what it may be, or the data
            is neither JSON nor text.
    """
    _check_required(cloud)
    fields: dict[str, Any] = {"payload": _payload(cloud)}
    for attribute, field in _FIELDS.items():
        if cloud.get(attribute) is not None:
            fields[field] = cloud[attribute]
    if cloud["source"] == _HERE:
        del fields["source"]
    extra = _read_extra(cloud.get(_EXTRA))
    attributes = extra.pop("attributes", {})
    return _build({**fields, **extra}, {**_extensions(cloud), **attributes})


def _check_required(cloud: Mapping[str, Any]) -> None:
    if not isinstance(cloud, Mapping):
        raise ValidationError(f"a CloudEvent must be an object, not {cloud!r:.40}")
    if cloud.get("specversion") != _VERSION:
        raise _fault("specversion", f'must be "{_VERSION}"')
    for name in ("id", "source", "type"):
        if not isinstance(cloud.get(name), str) or not cloud[name]:
            raise _fault(name, "is required, as a string that is not empty")


def _payload(cloud: Mapping[str, Any]) -> Any:
    media = cloud.get("datacontenttype")
    media = _JSON if media is None else media
    is_text = isinstance(media, str) and _TEXT_MEDIA.fullmatch(media) is not None
    is_json = isinstance(media, str) and _JSON_MEDIA.fullmatch(media) is not None
    if not is_text and not is_json:
        raise _fault("datacontenttype", "must be JSON or text")
    if cloud.get("data_base64") is not None:
        if "data" in cloud:
            raise _fault("data_base64", "must not stand beside data")
        return _decoded(cloud["data_base64"], is_text=is_text)
    data = cloud.get("data", {})
    if is_text and "data" in cloud and not isinstance(data, str):
        raise _fault("data", f"must be a string, as {media} is")
    return data


def _decoded(encoded: Any, *, is_text: bool) -> Any:
    try:
        raw = base64.b64decode(encoded, validate=True)
        return raw.decode() if is_text else loads(raw)
    except (TypeError, ValueError) as exc:
        raise _fault("data_base64", f"cannot be decoded: {exc}") from exc
    except InvalidRequestError as exc:
        raise _fault("data_base64", f"holds {exc.message}") from exc


def _extensions(cloud: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {
        name: value for name, value in cloud.items() if name not in _NOT_ATTRIBUTES
    }
    if attributes.get("datacontenttype") == _JSON:
        del attributes["datacontenttype"]
    return attributes


def _read_extra(text: Any) -> dict[str, Any]:
    if text is None:
        return {}
    if not isinstance(text, str):
        raise _fault(_EXTRA, "must be a JSON object, as a string")
    try:
        extra = loads(text)
    except InvalidRequestError as exc:
        raise _fault(_EXTRA, "must be a JSON object, as a string") from exc
    if not isinstance(extra, dict) or not extra.keys() <= set(_EXTRA_FIELDS):
        raise _fault(_EXTRA, f"may hold {', '.join(_EXTRA_FIELDS)}")
    if not isinstance(extra.get("attributes", {}), dict):
        raise _fault(_EXTRA, "must hold its attributes as an object")
    return extra


def _build(fields: dict[str, Any], attributes: dict[str, Any]) -> Event:
    try:
        return Event(**fields, attributes=attributes)
    except ValidationError as exc:
        field = exc.details.get("field", "")
        name = _ATTRIBUTES.get(field, field)
        message = exc.message.replace(field, name, 1)
        raise ValidationError(message, details={**exc.details, "field": name}) from exc


def _fault(attribute: str, what: str) -> ValidationError:
    return ValidationError(f"{attribute} {what}", details={"field": attribute})
