"""From what a publisher sent to drafts of events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from chalicelib.events.audit import PREFIX
from chalicelib.events.publication import Draft
from eventyard.core import moments
from eventyard.core.errors import EventRouterError, InvalidRequestError, ValidationError
from eventyard.core.event import Event
from eventyard.core.wire import from_cloudevent

#: What the platform writes and a publisher may not.
_OURS: Final = ("attempts", "last_error")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,256}")


def drafts_of(members: Iterable[Any]) -> list[Draft]:
    """
    Read events in Eventyard's own shape.

    Raises ValidationError; in a batch it names the index of the event at fault.
    """
    return _each(members, _draft)


def cloud_drafts_of(members: Iterable[Any]) -> list[Draft]:
    """Read structured CloudEvents, which always have ids of their own."""
    return _each(members, _cloud_draft)


def check_idempotency_key(key: Any) -> str | None:
    """Return the `Idempotency-Key`, or raise InvalidRequestError."""
    if key is None:
        return None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise InvalidRequestError(
            "Idempotency-Key must be 1 to 256 visible ASCII characters."
        )
    return key


def _draft(member: Any) -> Draft:
    if not isinstance(member, Mapping):
        raise ValidationError("An event must be a JSON object.")
    for name in _OURS:
        if name in member:
            raise _not_theirs(name)
    deliver_at = _moment("deliver_at", member.get("deliver_at"))
    fields = {name: member[name] for name in member if name != "deliver_at"}
    return Draft(
        _theirs(Event.from_dict(fields)),
        own_id=member.get("id") is not None,
        deliver_at=deliver_at,
        dated=member.get("timestamp") is not None,
    )


def _cloud_draft(member: Any) -> Draft:
    moment = None
    if isinstance(member, Mapping):
        # CloudEvents know no underscores.
        moment = _moment("deliverat", member.get("deliverat"))
        member = {name: member[name] for name in member if name != "deliverat"}
    event = from_cloudevent(member)
    for name in _OURS:
        if getattr(event, name):
            raise _not_theirs(name)
    dated = member.get("time") is not None
    return Draft(_theirs(event), own_id=True, deliver_at=moment, dated=dated)


def _moment(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return moments.read(value)
    except ValueError:
        pass
    raise ValidationError(
        f"{name} must be an ISO 8601 date and time, not {value!r:.40}.",
        details={"field": name},
    )


def _theirs(event: Event) -> Event:
    if event.type.startswith(PREFIX):
        raise ValidationError(
            f"type: {PREFIX}* are the platform's own events.",
            details={"field": "type"},
        )
    return event


def _not_theirs(name: str) -> ValidationError:
    return ValidationError(
        f"{name} is the platform's to write.", details={"field": name}
    )


def _each(members: Iterable[Any], read: Any) -> list[Draft]:
    drafts = []
    for index, member in enumerate(members):
        try:
            drafts.append(read(member))
        except EventRouterError as error:
            error.details.setdefault("index", index)
            raise
    return drafts
