"""API keys: what one is made of, and what is told of it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

#: The longest that a key may be made for: ten years.
LONGEST = 315_360_000


class NewKey(BaseModel):
    """What makes an API key: who will use it, and for what."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=64)
    scopes: list[str] = Field(min_length=1)
    expires_in_s: int | None = Field(
        default=None,
        ge=1,
        le=LONGEST,
        description="After so many seconds it is refused; without, it lasts.",
    )


class Rotation(BaseModel):
    """How a key is replaced."""

    model_config = ConfigDict(extra="forbid", strict=True)

    grace_s: int = Field(
        default=86_400,
        ge=0,
        le=604_800,
        description="So many seconds the old secret goes on working.",
    )


class Key(BaseModel):
    """What is told of a key; its secret is not."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_in_s: int | None = Field(
        default=None, description="How long it was made for, in seconds."
    )
    expires_at: datetime | None = Field(
        default=None, description="From then on it is refused."
    )
    replaced_by: str | None = Field(
        default=None, description="The id of the key that it was rotated to."
    )


class CreatedKey(Key):
    """A new key with its secret, which is in this answer and nowhere else."""

    key: str = Field(description="The secret: `Authorization: Bearer <key>`.")


class RotatedKey(CreatedKey):
    """The successor of a key, with its secret."""

    replaces: Key = Field(description="The old key, and until when it works.")


class Keys(BaseModel):
    """Every key."""

    keys: list[Key]


class Revoked(BaseModel):
    """Which key was revoked."""

    revoked: str
