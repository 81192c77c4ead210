"""Live connections: who listens, and what is sent to them."""

from __future__ import annotations
