"""What is told of events that wait for their moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class ScheduledEvent(BaseModel):
    """An event that waits."""

    event_id: str = Field(description="The id it will be published under.")
    status: Literal["scheduled"]
    deliver_at: datetime = Field(description="When it will be published.")
    event: dict[str, Any] = Field(
        description="The event as it will be published; without a timestamp when that "
        "will be the moment of its delivery."
    )


class ScheduledPage(BaseModel):
    """Events that wait, soonest first."""

    scheduled: list[ScheduledEvent]
    cursor: str | None = Field(description="Continues the list; null at its end.")


class CancelledEvent(BaseModel):
    """An event that will not be published."""

    event_id: str
    status: Literal["cancelled"]
