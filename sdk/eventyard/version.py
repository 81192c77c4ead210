"""Which version this is; the server tells it too, and needs nothing else for that."""

from __future__ import annotations

VERSION = "0.1.0"
