"""The log and the way of an event through it."""

from __future__ import annotations
