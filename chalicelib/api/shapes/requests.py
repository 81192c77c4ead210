"""What is sent and told when an event asks for an answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from chalicelib.api.shapes._base import Answer, Body, Moment
from chalicelib.api.shapes.events import Event, NewEvent


class NewRequest(NewEvent):
    """An event that asks; the platform gives it its id, and the time it lives."""

    timeout_s: Annotated[float, Field(ge=0.1, le=25)] | None = Field(
        5.0, description="How long to wait, in seconds."
    )


class ReplyEvent(Event):
    """
    The event that answered.

    Its `causation_id` is the id of the request, its `payload` an object.
    """


class ResponderFault(Body):
    """What went wrong at the responder."""

    type: str = Field(min_length=1, max_length=256)
    message: str = Field(max_length=4096)


class Reply(Body):
    """An answer: a payload, or what went wrong."""

    payload: dict[str, Any] | None = None
    error: ResponderFault | None = None
    source: str | None = Field(default=None, max_length=256, description="Who answers.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.payload is None) == (self.error is None):
            raise ValueError("give a payload or an error")
        return self


class Replied(Answer):
    """The answer that counts."""

    event_id: str
    status: Literal["published"]
    timestamp: Moment
    deduplicated: Literal[True] | None = Field(
        default=None, description="There when this answer had been given before."
    )
