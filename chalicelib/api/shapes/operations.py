"""How the platform does: health, counts, connections, queues, dead letters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment


class Health(Answer):
    """The state of the whole, and what each check found."""

    status: Literal["healthy", "degraded", "unhealthy"] = Field(
        description="`degraded`: it works, but somebody should look."
    )
    checks: dict[str, str] = Field(
        description="`ok`, or what is wrong.",
        examples=[{"transport": "ok", "persistence": "ok", "queue": "ok"}],
    )


class Wire(Answer):
    """Which versions of its messages a platform speaks."""

    lowest: int
    highest: int


class Config(Answer):
    """What pages and clients need to know before they know anything."""

    version: str
    stage: str
    auth: Literal["open", "keys"]
    live_url: str = Field(
        description="The WebSocket address; empty where it is this same host."
    )
    wire: Wire = Field(
        description="A call says which it speaks in the header `eventyard-version`."
    )


class Overview(Config):
    """What answers here."""

    name: Literal["Eventyard"]


class Stats(Answer):
    """Counts of what was published and delivered, and of what is on its way."""

    events_published: int
    events_delivered: int = Field(description="Messages sent to live connections.")
    active_subscriptions: int
    queue_depth: int = Field(description="Messages between functions.")
    error_rate: float = Field(
        description="The share of live messages that were given up."
    )
    connections: int
    relay_lag_ms: int = Field(
        description="How long the oldest commit waits to be relayed, in milliseconds."
    )
    dead_letters: int = Field(description="Messages that died between functions.")
    undelivered: int = Field(
        description="Dead letters of subscriptions, counted up to 100."
    )


class Client(Answer):
    """A live connection."""

    client_id: str
    channel: Literal["dashboard", "router"]
    connected_at: Moment
    subscriptions: int


class LiveStats(Answer):
    """The live connections, and what was sent to all that ever were."""

    active_connections: int
    total_messages_sent: int
    total_messages_failed: int
    total_broadcasts: int
    active_subscriptions: int
    clients: list[Client]


class Queue(Answer):
    """A queue between functions, and its dead letters."""

    name: str
    waiting: int
    in_flight: int
    delayed: int
    dead: int


class Queues(Answer):
    """All queues."""

    queues: list[Queue]


class DeadMessage(Answer):
    """A message that could not be handled."""

    id: str
    sent_at: Moment
    reason: str
    body: str = Field(description="The message as it was.")


class DeadMessages(Answer):
    """Some of the messages that could not be handled."""

    dead_letters: list[DeadMessage]


class StayedDead(Answer):
    """A dead letter that could not be sent again."""

    id: str
    reason: str


class Redriven(Answer):
    """What was sent again, and what was not."""

    queue: str
    redriven: int
    failed: list[StayedDead]


class PurgedQueue(Answer):
    """What was thrown away."""

    queue: str
    purged: int
