"""What is sent and told when an event asks for an answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class NewRequest(BaseModel):
    """An event that asks; its other fields are those of any event."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A dotted topic, which responders listen to.")
    payload: Any = Field(default=None, description="Any JSON value.")
    timeout_s: float = Field(
        default=5.0, ge=0.1, le=25, description="How long to wait, in seconds."
    )


class ReplyEvent(BaseModel):
    """The event that answered."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str = Field(description="The request's private address.")
    payload: dict[str, Any]
    correlation_id: str
    causation_id: str = Field(description="The id of the request.")
    timestamp: datetime


class Failure(BaseModel):
    """What went wrong at the responder."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: str = Field(min_length=1, max_length=256)
    message: str = Field(max_length=4096)


class Reply(BaseModel):
    """An answer: a payload, or what went wrong."""

    model_config = ConfigDict(extra="forbid")

    payload: dict[str, Any] | None = None
    error: Failure | None = None
    source: str | None = Field(default=None, max_length=256, description="Who answers.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.payload is None) == (self.error is None):
            raise ValueError("give a payload or an error")
        return self


class Replied(BaseModel):
    """The answer that counts."""

    event_id: str
    status: Literal["published"]
    timestamp: datetime
    deduplicated: Literal[True] | None = Field(
        default=None, description="There when this answer had been given before."
    )
