"""The shapes of bodies and answers: one module a family, imported when one is read."""

from __future__ import annotations
