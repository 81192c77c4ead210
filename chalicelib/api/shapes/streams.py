"""What is sent to and told of event streams."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from chalicelib.api.shapes._base import Answer, Body, Moment
from chalicelib.api.shapes.events import Event, NewEvent

Version = Annotated[int, Field(ge=0, le=999_999_999, strict=True)]


class StreamEvent(NewEvent):
    """One event to append, as it would be published; the stream gives it its id."""

    expected_version: Version | None = Field(
        default=None, description="Where the stream must end; 0: must not be there."
    )


class StreamEvents(Body):
    """Several events to append, all or none."""

    events: list[NewEvent] = Field(min_length=1, max_length=100)
    expected_version: Version | None = Field(
        default=None, description="Where the stream must end; 0: must not be there."
    )


class Append(RootModel[StreamEvents | StreamEvent]):
    """One event, or several."""


class AppendedEvent(Answer):
    """One event that was appended."""

    event_id: str
    version: int
    timestamp: Moment


class Appended(Answer):
    """Where the stream ends now, and what it was given."""

    stream_id: str
    version: int
    events: list[AppendedEvent]
    deduplicated: Literal[True] | None = Field(
        default=None, description="There when an earlier call with the key did it."
    )


class Stream(Answer):
    """Where a stream ends."""

    stream_id: str
    version: int
    snapshot_version: int | None = Field(description="Null: there is no snapshot.")


class StreamPage(Answer):
    """A stretch of a stream, oldest first."""

    stream_id: str
    events: list[Event]
    next_version: int | None = Field(
        description="Ask for this `from_version` next; null at the end."
    )


class NewSnapshot(Body):
    """What the events of a stream add up to."""

    version: int = Field(ge=1, description="The last version that is in it.")
    state: Any = Field(description="Any JSON value.")


class SavedSnapshot(Answer):
    """A snapshot that was kept."""

    stream_id: str
    snapshot_version: int


class Snapshot(Answer):
    """The newest snapshot of a stream."""

    stream_id: str
    version: int
    taken_at: Moment
    state: Any
