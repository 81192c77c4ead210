"""What flows along the edges of a graph, beside what the code says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment


class LiveEdge(Answer):
    """
    What flowed between an agent and an event.

    The names are those of the code where it has them; else the source of the events,
    the name or id of the subscription, or the id of the live client.
    """

    agent: str
    event: str
    kind: Literal["publishes", "subscribes"]
    count: int = Field(ge=0, description="Events published, or delivered.")
    rate: float = Field(ge=0, description="Of these, how many a second.")
    errors: int = Field(ge=0, description="Attempts to deliver that failed.")
    p95_lag_ms: float | None = Field(
        description="Within how many milliseconds of being published 95 % of them "
        "arrived, to 10 %; null where nothing did."
    )
    last_seen: Moment | None = Field(description="Null where nothing was seen.")
    state: Literal["both", "live_only", "code_only"] = Field(
        description="Whether it was seen, and whether the code has it."
    )


class Totals(Answer):
    """What was counted in all, each event once for each edge that was live."""

    published: int
    delivered: int
    errors: int
    published_rate: float
    delivered_rate: float
    left_out: int = Field(
        description="What was counted without its edge: a minute had too many."
    )


class Drift(Answer):
    """How many edges only one of the two has."""

    live_only: int
    code_only: int


class Traffic(Answer):
    """The traffic of a window, by edge."""

    window_s: int
    since: Moment = Field(description="Where it begins: at a whole minute.")
    until: Moment
    edges: list[LiveEdge]
    totals: Totals
    drift: Drift
