"""What is sent to and told of event streams."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

Version = Annotated[int, Field(ge=0, le=999_999_999, strict=True)]


class StreamEvent(BaseModel):
    """One event to append, as it would be published; its `data` is its payload."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A dotted topic.")
    data: Any = Field(default=None, description="Another name for `payload`.")
    payload: Any = Field(default=None, description="Any JSON value.")
    expected_version: Version | None = Field(
        default=None, description="Where the stream must end; 0: must not be there."
    )


class StreamEvents(BaseModel):
    """Several events to append, all or none."""

    model_config = ConfigDict(extra="forbid")

    events: list[dict[str, Any]] = Field(min_length=1, max_length=100)
    expected_version: Version | None = Field(
        default=None, description="Where the stream must end; 0: must not be there."
    )


class Append(RootModel[StreamEvents | StreamEvent]):
    """One event, or several."""


class AppendedEvent(BaseModel):
    """One event that was appended."""

    event_id: str
    version: int
    timestamp: datetime


class Appended(BaseModel):
    """Where the stream ends now, and what it was given."""

    stream_id: str
    version: int
    events: list[AppendedEvent]
    deduplicated: Literal[True] | None = Field(
        default=None, description="There when an earlier call with the key did it."
    )


class Stream(BaseModel):
    """Where a stream ends."""

    stream_id: str
    version: int
    snapshot_version: int | None = Field(description="Null: there is no snapshot.")


class StreamPage(BaseModel):
    """A stretch of a stream, oldest first."""

    stream_id: str
    events: list[dict[str, Any]]
    next_version: int | None = Field(
        description="Ask for this `from_version` next; null at the end."
    )


class NewSnapshot(BaseModel):
    """What the events of a stream add up to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: int = Field(ge=1, description="The last version that is in it.")
    state: Any = Field(description="Any JSON value.")


class SavedSnapshot(BaseModel):
    """A snapshot that was kept."""

    stream_id: str
    snapshot_version: int


class Snapshot(BaseModel):
    """The newest snapshot of a stream."""

    stream_id: str
    version: int
    taken_at: datetime
    state: Any
