"""What handlers did wrong, for whoever reads logs."""

from __future__ import annotations

import logging

from eventyard.core.event import Event

_LOGGER = logging.getLogger("eventyard.events")


def report(event: Event | None, error: BaseException | None) -> None:
    """Log that a handler failed, or was cancelled."""
    whose = f" with {event.type} {event.id}" if event is not None else ""
    if error is None:
        _LOGGER.warning("a handler was cancelled%s", whose)
    else:
        _LOGGER.error("a handler failed%s: %r", whose, error, exc_info=error)
