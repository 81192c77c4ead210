"""API keys: what one is made of, and what is told of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Body, Moment

# Shown, not checked here: the store says better what is wrong.
_Scope = Annotated[
    str,
    Field(
        json_schema_extra={"pattern": r"^(admin|events:(publish|subscribe)(:\S+)?)$"}
    ),
]
_SCOPES = [["events:publish:order.*", "events:subscribe"]]


class NewKey(Body):
    """What makes an API key: who will use it, and for what."""

    name: str = Field(
        min_length=1,
        max_length=64,
        description="Who will use it: letters, digits, spaces and . _ @ -",
        examples=["ci"],
        json_schema_extra={"pattern": r"^[\w .@-]+$"},
    )
    scopes: list[_Scope] = Field(
        min_length=1,
        description="`admin`, `events:publish`, `events:subscribe`; the last two also "
        "for a topic pattern.",
        examples=_SCOPES,
    )


class Key(Answer):
    """An API key, without its secret."""

    id: str = Field(description="Names the key; tells nothing of its secret.")
    name: str = Field(examples=["ci"])
    scopes: list[str] = Field(examples=_SCOPES)
    created_at: Moment


class MadeKey(Key):
    """An API key just made, with its secret."""

    key: str = Field(
        description="The secret: it is shown once, here.", examples=["ey_..."]
    )


class Keys(Answer):
    """All API keys."""

    keys: list[Key]


class RevokedKey(Answer):
    """What was revoked."""

    revoked: str = Field(description="The id of the key.")
