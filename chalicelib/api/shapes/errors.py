"""The one shape that every failure has."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.api.shapes._base import Answer


class Fault(Answer):
    """What went wrong."""

    code: str = Field(
        description="What went wrong, in one word that programs may rely on.",
        examples=["invalid_event"],
    )
    message: str = Field(
        description="What is wrong, and what to do.",
        examples=["priority must be from 1 to 10, not 11"],
    )
    details: dict[str, Any] = Field(
        description="More for programs: the field, the index, the limit.",
        examples=[{"field": "priority", "index": 1}],
    )


class Failure(Answer):
    """Every failure, whatever failed."""

    error: Fault
