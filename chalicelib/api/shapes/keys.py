"""API keys: what one is made of, and what is told of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NewKey(BaseModel):
    """What makes an API key: who will use it, and for what."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=64)
    scopes: list[str] = Field(min_length=1)
