"""Tickets: what opens one live connection."""

from __future__ import annotations

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Moment


class Ticket(Answer):
    """A ticket, shown once; it works once."""

    ticket: str = Field(description="Begins with `tkt_`; sent as `?ticket=`.")
    expires_at: Moment = Field(description="When it stops working, a minute on.")
