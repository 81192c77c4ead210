"""Event-flow graphs: pushed by scanners, kept in versions, drawn, compared."""

from __future__ import annotations
