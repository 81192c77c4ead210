"""The path of one event: what led to it, and what it led to."""

from __future__ import annotations

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment


class Step(Answer):
    """An event on the path; all but its id is null where it is missing."""

    id: str
    type: str | None
    source: str | None
    time: Moment | None
    depth: int = Field(ge=0, description="How many steps from the root.")
    missing: bool = Field(
        description="It was never published, its retention has ended, or it is not "
        "for the caller."
    )


class Led(Answer):
    """One event led to another."""

    from_: str = Field(alias="from")
    to: str


class Path(Answer):
    """
    The causes of an event up to the first, and all that it led to.

    Effects are known once they were routed: within a moment of their publication.
    """

    root: str = Field(description="The first cause that is known.")
    focus: str = Field(description="The event that was asked for.")
    nodes: list[Step]
    edges: list[Led]
    truncated: bool = Field(
        description="There is more: 50 steps each way and 500 events are shown."
    )
