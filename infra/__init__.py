"""Packaging, deploying and running: what stands around the functions."""

from __future__ import annotations
