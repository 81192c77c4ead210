"""What each field of an event may hold; `check` names the field that does not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any

from eventyard.core import moments
from eventyard.core.errors import ValidationError
from eventyard.core.topics import check_topic

_MOST_CHARACTERS = 256
_HIGHEST_PRIORITY = 10
_ATTRIBUTE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_JSON_TYPES = (dict, list, str, int, float, type(None))


def check(name: str, value: Any) -> Any:
    """Return a field's value in its one form, or raise a ValidationError."""
    try:
        return CHECKS[name](value)
    except ValidationError:
        raise
    except (ValueError, OverflowError) as exc:
        raise ValidationError(f"{name} {exc}", details={"field": name}) from exc


def _topic(value: Any) -> str:
    return check_topic(value.value if isinstance(value, Enum) else value)


def _identifier(value: Any) -> str:
    text = _short_text(value)
    if not text or " " in text or not text.isprintable():
        raise ValueError("must be 1 to 256 printable characters without white space")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {type(value).__name__}")  # noqa: TRY004
    return value


def _short_text(value: Any) -> str:
    if len(_text(value)) > _MOST_CHARACTERS:
        raise ValueError(f"must have at most {_MOST_CHARACTERS} characters")
    return str(value)


def _json(value: Any) -> Any:
    # Only the outside: looking through every payload would cost more than the rest,
    # and writing it as JSON finds the same.
    if not isinstance(value, _JSON_TYPES):
        raise ValueError(f"must be a JSON value, not {type(value).__name__}")  # noqa: TRY004
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime | str):
        raise ValueError(f"must be a date and time, not {type(value).__name__}")  # noqa: TRY004
    try:
        return moments.read(value)
    except ValueError as exc:
        raise ValueError(f"must be an ISO 8601 date and time: {exc}") from exc


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be a whole number, not {value!r:.40}")  # noqa: TRY004
    return int(value)


def _count(value: Any) -> int:
    if _whole(value) < 0:
        raise ValueError(f"must not be negative, as {value} is")
    return int(value)


def _priority(value: Any) -> int:
    if not 1 <= _whole(value) <= _HIGHEST_PRIORITY:
        raise ValueError(f"must be from 1 to {_HIGHEST_PRIORITY}, not {value}")
    return int(value)


def _seconds(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise ValueError(f"must be a positive number of seconds, not {value!r:.40}")
    return value  # type: ignore[no-any-return]


def _headers(value: Any) -> dict[str, str]:
    pairs = {} if value is None else value
    if not isinstance(pairs, dict) or not all(
        isinstance(part, str) for pair in pairs.items() for part in pair
    ):
        raise ValueError("must map strings to strings")
    return dict(pairs)


def _tags(value: Any) -> list[str]:
    tags = [] if value is None else value
    if not isinstance(tags, list | tuple) or not all(
        isinstance(tag, str) for tag in tags
    ):
        raise ValueError("must be a list of strings")
    return list(tags)


def _attributes(value: Any) -> dict[str, Any]:
    pairs = {} if value is None else value
    if not isinstance(pairs, dict):
        raise ValueError(f"must be an object, not {type(value).__name__}")  # noqa: TRY004
    for name, content in pairs.items():
        attribute(name, content)
    return {name: content for name, content in pairs.items() if content is not None}


def attribute(name: Any, value: Any) -> None:
    """Check one attribute, whose name must be usable as a Python name."""
    if not isinstance(name, str) or _ATTRIBUTE.fullmatch(name) is None:
        shown = f"{name!r:.40}"
        raise ValidationError(
            f"{shown} cannot name an attribute: letters, digits and _ may, no digit first",
            details={"field": "attributes", "attribute": shown},
        )
    if not isinstance(value, _JSON_TYPES):
        raise ValidationError(
            f"{name} must be a JSON value, not {type(value).__name__}",
            details={"field": name},
        )


CHECKS: dict[str, Callable[[Any], Any]] = {
    "id": _identifier,
    "type": _topic,
    "payload": _json,
    "timestamp": _moment,
    "source": _short_text,
    "target": _short_text,
    "priority": _priority,
    "correlation_id": _short_text,
    "causation_id": _short_text,
    "ttl": _seconds,
    "expires_at": _moment,
    "version": _count,
    "headers": _headers,
    "tags": _tags,
    "attempts": _count,
    "max_attempts": _count,
    "last_error": _text,
    "dataref": _text,
    "attributes": _attributes,
}
