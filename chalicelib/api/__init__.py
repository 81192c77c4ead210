"""HTTP in: one module for each family of addresses."""

from __future__ import annotations
