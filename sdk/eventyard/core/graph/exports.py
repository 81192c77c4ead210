"""A model for other tools and for people: Mermaid, AsyncAPI, text."""

from __future__ import annotations

from eventyard.core.graph._asyncapi import asyncapi
from eventyard.core.graph._mermaid import mermaid
from eventyard.core.graph._text import text

__all__ = ["asyncapi", "mermaid", "text"]
