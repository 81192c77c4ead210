"""What GitHub sends, and what is told of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.api.shapes._base import Answer, Moment


class Payload(BaseModel):
    """A payload of GitHub's, as its documentation has it."""

    model_config = ConfigDict(extra="allow")


class FormPayload(BaseModel):
    """The same, as a form whose field `payload` holds the JSON."""

    payload: str


class Accepted(Answer):
    """A delivery is in the log."""

    success: Literal[True]
    eventId: str = Field(description="The event that it became.")  # noqa: N815
    eventType: str = Field(examples=["com.github.pull_request.opened"])  # noqa: N815
    message: str = Field(examples=["accepted"])


class Delivery(Answer):
    """What became of a delivery."""

    id: str
    state: Literal["open", "done", "dead"]
    event: str = Field(examples=["pull_request"])
    action: str | None
    repository: str | None
    delivery: str = Field(description="The id that GitHub gave it.")
    event_id: str
    processed: bool
    attempts: int = Field(description="How often the schedule took it up.")
    received_at: Moment
    reason: str | None = Field(description="Why its work could not be done.")


class Deliveries(Answer):
    """A page of deliveries."""

    deliveries: list[Delivery]
    cursor: str | None


class RetriedDelivery(Answer):
    """A delivery is worked on again."""

    status: Literal["queued"]
    id: str
