"""API keys: what makes one, and what is told of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Body, Moment

#: The longest that a key may be made for: ten years.
LONGEST = 315_360_000
# Shown, not checked here: the store says better what is wrong.
_Scope = Annotated[
    str,
    Field(
        json_schema_extra={
            "pattern": r"^(admin|events:(publish|subscribe)(:\S+)?"
            r"|(circles|graph|pulls):(read|write)|jobs:(read|submit))$"
        }
    ),
]
_SCOPES = [["events:publish:order.*", "events:subscribe"]]


class NewKey(Body):
    """What makes an API key: who will use it, for what, and for how long."""

    name: str = Field(
        min_length=1,
        max_length=64,
        description="Who will use it: letters, digits, spaces and . _ @ -",
        examples=["ci"],
        json_schema_extra={"pattern": r"^[\w .@-]+$"},
    )
    scopes: list[_Scope] = Field(
        min_length=1,
        description="`admin`, `circles:read`, `circles:write`, `events:publish`, "
        "`events:subscribe` (these two also for a topic pattern), `graph:read`, "
        "`graph:write`, `jobs:read`, `jobs:submit`, `memories:read`, `memories:write` "
        "(these two also for a pattern of agents), `pulls:read`, `pulls:write`.",
        examples=_SCOPES,
    )
    expires_in_s: int | None = Field(
        default=None,
        ge=1,
        le=LONGEST,
        description="After so many seconds it is refused; without, it lasts.",
    )


class Rotation(Body):
    """How a key is replaced."""

    grace_s: int = Field(
        default=86_400,
        ge=0,
        le=604_800,
        description="So many seconds the old secret goes on working.",
    )


class Key(Answer):
    """An API key, without its secret."""

    id: str = Field(description="Names the key; tells nothing of its secret.")
    name: str = Field(examples=["ci"])
    scopes: list[str] = Field(examples=_SCOPES)
    created_at: Moment
    expires_in_s: int | None = Field(
        default=None, description="How long it was made for, in seconds."
    )
    expires_at: Moment | None = Field(
        default=None, description="From then on it is refused."
    )
    replaced_by: str | None = Field(
        default=None, description="The id of the key that it was rotated to."
    )


class MadeKey(Key):
    """An API key just made, with its secret."""

    key: str = Field(
        description="The secret: it is shown once, here.", examples=["ey_..."]
    )


class RotatedKey(MadeKey):
    """The successor of a key, with its secret."""

    replaces: Key = Field(description="The old key, and until when it works.")


class Keys(Answer):
    """All API keys."""

    keys: list[Key]


class RevokedKey(Answer):
    """What was revoked."""

    revoked: str = Field(description="The id of the key.")
