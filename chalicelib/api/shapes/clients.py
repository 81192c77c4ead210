"""What clients are told of themselves, and what is kept for them."""

from __future__ import annotations

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Body


class Me(Answer):
    """Who is calling, and what they may do."""

    id: str = Field(description="Tells apart keys of the same name.")
    name: str
    scopes: list[str] = Field(examples=[["events:publish", "events:subscribe:order.*"]])


class NewPosition(Body):
    """A place to keep."""

    cursor: str = Field(
        pattern="^[!-~]{1,8192}$",
        description="As a delivery brought it; later ones are higher texts.",
    )


class Position(Answer):
    """The place that is kept."""

    cursor: str | None = Field(description="Null: none was kept.")
