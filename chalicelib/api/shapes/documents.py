"""The documents of the interface, as far as one needs to know them."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from chalicelib.api.shapes._base import Answer


class Info(Answer):
    """What is described."""

    model_config = ConfigDict(extra="allow")

    title: str
    version: str


class Document(Answer):
    """An OpenAPI or AsyncAPI document: its own standard says what else is in it."""

    model_config = ConfigDict(extra="allow")

    info: Info
    components: dict[str, Any]
