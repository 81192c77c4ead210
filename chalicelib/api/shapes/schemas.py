"""Schemas of topics: what one is made of, and what is told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["off", "warn", "enforce"]


class NewSchema(BaseModel):
    """A schema for the payloads of some topics, and what happens to others."""

    model_config = ConfigDict(extra="forbid", strict=True)

    topics: str = Field(min_length=1, max_length=256, description="A topic pattern.")
    definition: dict[str, Any] = Field(
        alias="schema",
        description="A JSON Schema (2020-12) of at most 64 KB, with local references.",
    )
    mode: Mode = Field(
        default="enforce",
        description="`enforce` refuses what does not fit, `warn` says so to its "
        "publisher, `off` does nothing.",
    )
    description: str = Field(default="", max_length=500)


class Schema(BaseModel):
    """A schema as it is kept."""

    id: str
    topics: str
    definition: dict[str, Any] = Field(alias="schema")
    mode: Mode
    description: str
    created_at: datetime
    updated_at: datetime


class Schemas(BaseModel):
    """One page of schemas, by id."""

    schemas: list[Schema]
    cursor: str | None = Field(
        description="Where the next page begins; null at the end."
    )


class Deleted(BaseModel):
    """Which schema was removed."""

    deleted: str


class Sample(BaseModel):
    """Which events a schema is inferred from."""

    model_config = ConfigDict(extra="forbid", strict=True)

    topics: list[str] = Field(
        default=["*"], min_length=1, max_length=100, description="Topic patterns."
    )
    last: int = Field(
        default=100, ge=1, le=1_000, description="How many, newest first."
    )


class Inferred(BaseModel):
    """A schema that all events that were examined fit."""

    definition: dict[str, Any] = Field(alias="schema")
    examined: int
