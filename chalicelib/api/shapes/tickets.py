"""Tickets: what opens one live connection."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class Ticket(BaseModel):
    """A ticket, shown once; it works once."""

    ticket: str = Field(description="Begins with `tkt_`; sent as `?ticket=`.")
    expires_at: datetime = Field(description="When it stops working, a minute on.")
