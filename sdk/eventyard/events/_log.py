"""What handlers did wrong, for whoever reads logs."""

from __future__ import annotations

import logging
from asyncio import CancelledError

from eventyard.core.event import Event

_LOGGER = logging.getLogger("eventyard.events")


def report(event: Event, error: BaseException) -> None:
    """Log that a handler failed, or was cancelled."""
    if isinstance(error, CancelledError):
        _LOGGER.warning("a handler was cancelled with %r", event)
    else:
        _LOGGER.error("a handler failed with %r: %r", event, error, exc_info=error)
