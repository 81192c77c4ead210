"""The server: see app.py for what runs, api/ for addresses, service.py for verbs."""

from __future__ import annotations
