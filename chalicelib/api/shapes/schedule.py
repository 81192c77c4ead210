"""What is told of events that wait for their moment."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment


class ScheduledEvent(Answer):
    """An event that waits."""

    event_id: str = Field(description="The id it will be published under.")
    status: Literal["scheduled"]
    deliver_at: Moment = Field(description="When it will be published.")
    event: dict[str, Any] = Field(
        description="The event as it will be published; without a timestamp when that "
        "will be the moment of its delivery."
    )


class ScheduledPage(Answer):
    """Events that wait, soonest first."""

    scheduled: list[ScheduledEvent]
    cursor: str | None = Field(description="Continues the list; null at its end.")


class CancelledEvent(Answer):
    """An event that will not be published."""

    event_id: str
    status: Literal["cancelled"]
