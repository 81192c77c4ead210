"""The rows of scheduled commits: their keys, what they hold, what is told of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.events.publication import Draft, Published, named
from eventyard.core import moments, ulid
from eventyard.core.errors import InvalidRequestError, PayloadTooLargeError
from eventyard.core.event import Event
from eventyard.core.wire import dumps, loads

#: What the events of one scheduled commit may weigh: they rest in one item.
SIZE_LIMIT: Final = 350_000
#: The list of what is scheduled lies in partitions of 90 days.
SPAN_MS: Final = 90 * 86_400_000
PREFIX: Final = "evt_"
_CURSOR: Final = re.compile(r"([0-9]{13})\.([0-7][0-9A-HJKMNP-TV-Z]{25})\.([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One event that waits, and the commit it waits in."""

    commit: Item
    #: Where it stands in its commit.
    index: int
    fields: Mapping[str, Any]

    @property
    def event_id(self) -> str:
        """Return the id it will be published under."""
        return str(self.fields["id"])

    @property
    def source(self) -> str:
        """Return whose id that is."""
        return str(self.fields.get("source") or "")

    @property
    def name(self) -> tuple[str, str]:
        """Return what tells it apart from all other events."""
        return self.event_id, self.source

    def to_dict(self) -> dict[str, Any]:
        """Return the shape the HTTP interface answers with."""
        return {
            "event_id": self.event_id,
            "status": "scheduled",
            "deliver_at": _written(self.commit["at_ms"]),
            "event": dict(self.fields),
        }


def told_of(commit: Item, *, deduplicated: bool) -> list[Published]:
    """Return what a publisher is told of each event of a commit."""
    status = {"delivered": "published", "cancelled": "cancelled"}
    state = status.get(commit["state"], "scheduled")
    created = _written(commit["created_ms"])
    at = _written(commit["at_ms"])
    return [
        Published(
            one.event_id,
            one.fields.get("timestamp", created),
            deduplicated,
            status="cancelled" if one.index in commit["cancelled"] else state,
            deliver_at=at,
        )
        for one in members_of(commit)
    ]


def keep(drafts: Sequence[Draft], key: str) -> str:
    """
    Write the events of a commit down, without what follows from their delivery.

    Raises PayloadTooLargeError.
    """
    members = []
    for draft, event in zip(drafts, named(drafts, key), strict=True):
        fields = event.to_dict()
        if not draft.dated:
            del fields["timestamp"]
        if follows_from_ttl(event):
            del fields["expires_at"]
        members.append(fields)
    text = dumps(members)
    if len(text.encode()) > SIZE_LIMIT:
        raise PayloadTooLargeError(
            f"The events of a scheduled commit may have {SIZE_LIMIT} bytes together; "
            "put larger payloads elsewhere and send their address as dataref.",
            details={"limit": SIZE_LIMIT},
        )
    return text


def follows_from_ttl(event: Event) -> bool:
    """Tell whether the event gave its life span rather than its end."""
    if event.ttl is None or event.expires_at is None:
        return False
    return event.expires_at - event.timestamp == timedelta(seconds=event.ttl)


def due_event(fields: Mapping[str, Any], now: datetime) -> Event:
    """Make the event that is published now; its life, if limited, begins now."""
    event = Event.from_dict({"timestamp": now, **fields})
    if event.ttl is not None and "expires_at" not in fields:
        event.expires_at = now + timedelta(seconds=event.ttl)
    return event


def members_of(commit: Item) -> list[Scheduled]:
    """Return the events of a commit."""
    members = enumerate(loads(commit["events"]))
    return [Scheduled(commit, index, fields) for index, fields in members]


def waiting_in(commit: Item) -> list[Scheduled]:
    """Return the events that wait: not cancelled, and not on their way."""
    if commit["state"] != "waiting":
        return []
    return [one for one in members_of(commit) if one.index not in commit["cancelled"]]


def commit_key(key: str) -> Item:
    """Return the key of a commit's item."""
    # The places of a commit's events share this much with its key.
    return {"pk": f"scheduled#{key[: ulid.SHARED]}", "sk": key}


def id_key(event_id: str, source: str | None) -> Item:
    """Return the key of the row that leads from an own id to its commit."""
    return {"pk": f"scheduled-id#{event_id}", "sk": f"source#{source or ''}"}


def index_row(commit: Item) -> Item:
    """Return the row that a commit has in the list."""
    return {"pk": span_key(commit["at_ms"] // SPAN_MS), "sk": place_of(commit)}


def span_key(number: int) -> str:
    """Return the partition of the list by its number."""
    return f"schedule#{number}"


def place_of(commit: Item) -> str:
    """Return where a commit stands in the list."""
    return f"{commit['at_ms']:013d}#{commit['sk']}"


def write_cursor(first: Scheduled) -> str:
    """Return what continues a list at this event."""
    commit = first.commit
    return f"{commit['at_ms']:013d}.{commit['sk']}.{first.index}"


def read_cursor(cursor: str | None) -> tuple[str, int]:
    """
    Return the place that a page begins at, and how many events to leave out there.

    Raises InvalidRequestError.
    """
    if cursor is None:
        return "", 0
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidRequestError("cursor must be one that a page brought.")
    return f"{match[1]}#{match[2]}", int(match[3])


def _written(ms: int) -> str:
    return moments.at(ms / 1000)
