"""The pages: HTML, ES modules and styles, served as they are."""

from __future__ import annotations
