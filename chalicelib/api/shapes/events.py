"""Events: as they are published, as they are told, and what publishers are told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.config import JsonDict

from chalicelib.api.shapes._base import Answer, Moment, Topic

_MEDIA = r"^([a-z]+/([a-z0-9.+-]+\+)?json|text/[a-z0-9.+-]+)(\s*;.*)?$"
_NAMES: JsonDict = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
_Attributes = Annotated[
    dict[str, Any], Field(json_schema_extra={"propertyNames": _NAMES})
]
Short = Annotated[str, Field(max_length=256)]
Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^\S+$")]
Priority = Annotated[int, Field(ge=1, le=10)]


class NewEvent(BaseModel):
    """
    An event about to be published; all but `type` may be left out.

    Keys that are not named here become `attributes`: letters, digits and `_` may
    name one, no digit first.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "propertyNames": _NAMES,
            "not": {"required": ["payload", "data"]},
            "examples": [
                {
                    "type": "order.placed",
                    "payload": {"order": 7, "total": 99.5},
                    "source": "shop",
                    "priority": 8,
                }
            ],
        },
    )

    type: Topic = Field(description="A dotted topic.")
    payload: Any = Field({}, description="Any JSON; `data` is another name for it.")
    data: Any = Field(None, description="The payload, by the name of CloudEvents.")
    priority: Priority | None = Field(5, description="1 (lowest) to 10 (highest).")
    source: Short | None = Field(None, description="Who publishes it.")
    target: Short | None = Field(
        None, description="The client that it is for, if for one; no secret."
    )
    correlation_id: Short | None = Field(
        None, description="Shared by all events of one conversation."
    )
    causation_id: Short | None = Field(
        None, description="The id of the event that led to this one."
    )
    timestamp: Moment | None = Field(None, description="When it happened; else now.")
    ttl: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Seconds during which it is worth delivering."
    )
    expires_at: Moment | None = Field(
        None, description="When it stops being worth delivering, instead of `ttl`."
    )
    headers: dict[str, str] | None = None
    tags: list[str] | None = None
    id: Id | None = Field(
        None,
        description="Unique within its source: a second event with this id is not "
        "published again. Else `evt_` and a ULID.",
    )
    version: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Its place in a stream of events."
    )
    max_attempts: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How often delivery may be tried."
    )
    dataref: Annotated[str, Field(max_length=2048)] | None = Field(
        None, description="Where the payload lies, when it does not travel along."
    )
    attributes: _Attributes | None = Field(
        None, description="What else there is to tell, as unknown keys are."
    )
    deliver_at: Moment | None = Field(
        None,
        description="When to publish it, up to 366 days ahead; the same for all of a "
        "commit. Else now.",
    )


class Publication(RootModel[NewEvent | list[NewEvent]]):
    """One event, or 1 to 100 as one commit: all of them, or none."""

    root: NewEvent | Annotated[list[NewEvent], Field(min_length=1, max_length=100)]


class CloudEvent(BaseModel):
    """A CloudEvent 1.0 in JSON; what is not named here is an extension."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "not": {"required": ["data", "data_base64"]},
            "examples": [
                {
                    "specversion": "1.0",
                    "id": "order-7",
                    "source": "/shop",
                    "type": "order.placed",
                    "data": {"total": 99.5},
                }
            ],
        },
    )

    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, Field(min_length=1, max_length=256)]
    type: Topic
    time: Moment | None = None
    datacontenttype: Annotated[str, Field(pattern=_MEDIA)] | None = Field(
        None, description="JSON or text."
    )
    data: Any = None
    data_base64: Annotated[str, Field(pattern="^[A-Za-z0-9+/]*={0,2}$")] | None = Field(
        None, description="The data, instead of `data`."
    )
    deliverat: Moment | None = Field(
        None, description="When to publish it, up to 366 days ahead; else now."
    )


class CloudEvents(RootModel[list[CloudEvent]]):
    """A batch of CloudEvents: one commit."""

    root: Annotated[list[CloudEvent], Field(min_length=1, max_length=100)]


#: `cancelled` is told of a retry whose first call's event was cancelled meanwhile.
Status = Literal["published", "scheduled", "cancelled"]


class Warned(Answer):
    """What a schema of mode `warn` has against a payload."""

    pattern: str = Field(description="The topics of the schema.", examples=["order.*"])
    path: str = Field(description="Where it does not fit.", examples=["payload.total"])
    message: str


class Published(Answer):
    """What a publisher is told of one event."""

    event_id: str = Field(examples=["evt_01M7XZWQJYDFMFZR88CEXSY7JH"])
    status: Status
    timestamp: Moment
    deliver_at: Moment | None = Field(
        None, description="When it will be published, while it is `scheduled`."
    )
    deduplicated: Literal[True] | None = Field(
        None, description="It had been published before, by a call that this repeats."
    )
    warnings: list[Warned] | None = Field(
        None, description="What schemas have against it; it was accepted all the same."
    )


class PublishedCommit(Answer):
    """What a publisher is told of an array, in its order."""

    events: list[Published]
    count: int
    status: Status


class Publications(RootModel[Published | PublishedCommit]):
    """Of one event what became of it; of an array what became of each."""


class Circumstances(Answer):
    """What an event may have besides what each one has."""

    target: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    ttl: float | None = None
    expires_at: Moment | None = None
    version: int | None = None
    headers: dict[str, str] | None = None
    tags: list[str] | None = None
    attempts: int | None = None
    max_attempts: int | None = None
    last_error: str | None = None
    dataref: str | None = Field(
        None, description="Where the payload lies, when it did not travel along."
    )
    attributes: dict[str, Any] | None = None


class Event(Circumstances):
    """One event, as it stands in the log."""

    id: str = Field(examples=["evt_01M7XZWQJYDFMFZR88CEXSY7JH"])
    type: str = Field(examples=["order.placed"])
    payload: Any = Field(examples=[{"order": 7, "total": 99.5}])
    source: str | None = Field(examples=["shop"])
    priority: int = Field(ge=1, le=10)
    timestamp: Moment


class EventPage(Answer):
    """Events, newest first."""

    events: list[Event]
    cursor: str | None = Field(
        description="Continues the list, which a page may do although it is short or "
        "empty; null at its end."
    )
