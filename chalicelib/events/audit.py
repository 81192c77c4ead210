"""The audit trail: who changed what, told as events in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.events.publication import Draft
from chalicelib.events.service import EventService
from eventyard.core.event import Event

#: Events of these types are the platform's own: nobody else can publish them.
PREFIX: Final = "eventyard."
#: Whoever did what no caller asked for.
PLATFORM: Final = Principal("eventyard", frozenset(), "eventyard")


@dataclass(frozen=True, slots=True)
class Audit:
    """Publishes what operators want to know, and may have to prove."""

    events: EventService

    def tell(
        self,
        change: str,
        by: Principal,
        details: Mapping[str, Any],
        *,
        key: str | None = None,
    ) -> None:
        """
        Publish `eventyard.<change>`, such as `eventyard.subscription.created`.

        `details` hold nothing secret. The same `key` tells it once, however often
        it is told.
        """
        event = Event(
            PREFIX + change,
            {**details, "by": {"id": by.id, "name": by.name}},
            source="eventyard",
        )
        self.events.publish(
            [Draft(event, own_id=False)], by=PLATFORM.id, idempotency_key=key
        )
