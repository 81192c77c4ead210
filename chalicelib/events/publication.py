"""What goes into a publish and what comes out: drafts, and what publishers are told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eventyard.core import traces, ulid
from eventyard.core.event import Event
from eventyard.core.wire import dumps

#: What an id begins with that the platform gave; the event's place follows.
PREFIX: Final = "evt_"
#: What the private address of a request begins with; its commit's key follows.
REPLY: Final = "reply."


@dataclass(frozen=True, slots=True)
class Draft:
    """An event about to be published; `own_id` when its sender chose the id."""

    event: Event
    own_id: bool
    #: When to publish it, if not at once.
    deliver_at: datetime | None = None
    #: Whether its sender said when it happened.
    dated: bool = True


#: What schemas have against one event that is accepted all the same.
Warnings = Sequence[Mapping[str, str]]
#: Tells of each event what to warn of; raises ValidationError to refuse them all.
Vet = Callable[[Sequence[Event]], Sequence[Warnings]]


def accept_all(events: Sequence[Event]) -> Sequence[Warnings]:
    """Warn of nothing."""
    return [()] * len(events)


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher is told of one event."""

    event_id: str
    timestamp: str
    deduplicated: bool
    status: str = "published"
    #: When it will be published, while its status is `scheduled`.
    deliver_at: str | None = None
    warnings: Warnings = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the shape the HTTP interface answers with."""
        told: dict[str, Any] = {
            "event_id": self.event_id,
            "status": self.status,
            "timestamp": self.timestamp,
        }
        if self.status == "scheduled" and self.deliver_at is not None:
            told["deliver_at"] = self.deliver_at
        more = {"deduplicated": True} if self.deduplicated else {}
        warned = {"warnings": list(self.warnings)} if self.warnings else {}
        return {**told, **more, **warned}


def is_reply(topic: str) -> bool:
    """Tell whether a topic is the private address of a request."""
    return topic.startswith(REPLY) and ulid.is_ulid(topic.removeprefix(REPLY))


def named(drafts: Sequence[Draft], key: str) -> list[Event]:
    """Return the events of a commit, with ids of ours where the sender chose none."""
    for index, draft in enumerate(drafts):
        if not draft.own_id:
            draft.event.id = PREFIX + ulid.add(key, index)
    return [draft.event for draft in drafts]


def again_for(event: Event, handler: str) -> Draft:
    """
    Return an event once more, for one handler (`<client id>/<name>`), as another fact.

    It has a new id, as every event in the log; the header `retry-of` tells the old one,
    and `retry-for` whose handler it is for.
    """
    attributes = {n: v for n, v in event.attributes.items() if n != "reply_to"}
    again = event.copy(
        target=handler.partition("/")[0],
        headers={**event.headers, "retry-of": event.id, "retry-for": handler},
        attributes=attributes,
        # Whoever retries it wants it delivered, however old it is.
        ttl=None,
        expires_at=None,
    )
    return Draft(again, own_id=False)


def published(event: Event, *, deduplicated: bool) -> Published:
    """Return what the publisher of an event is told."""
    return Published(event.id, event.to_dict()["timestamp"], deduplicated)


def digest_of(drafts: Sequence[Draft]) -> str:
    """Return what tells a retry of this call from another call."""
    # What the caller said, not what we added: a retry has another time and id.
    said = [_said(draft) for draft in drafts]
    return hashlib.sha256(dumps(said).encode()).hexdigest()


def _said(draft: Draft) -> dict[str, Any]:
    fields = draft.event.to_dict()
    del fields["timestamp"]
    if not draft.own_id:
        del fields["id"]
    fields.pop("expires_at", None)
    # A retry is another span, of another trace perhaps, and the same call.
    headers = traces.without(fields.pop("headers", {}))
    return {**fields, "headers": headers} if headers else fields
