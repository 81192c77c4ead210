"""What the bus of this process does, counted and traced while telemetry is on."""

from __future__ import annotations

import time
from dataclasses import replace
from inspect import isawaitable
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.events.bus import EventBus, Handler, Subscriber
from eventyard.telemetry.handling import span_for
from eventyard.telemetry.metrics import eventbus_metrics


class Observer:
    """Counts what is published, and how its handlers do."""

    def watched(
        self, event: Event, wanted: tuple[Subscriber, ...] | None
    ) -> tuple[Subscriber, ...] | None:
        """Return the subscribers of an event, each looked at while it handles it."""
        eventbus_metrics.record_event_published(event.type)
        if wanted is None:
            return None
        return tuple(replace(one, handler=_watched(one.handler)) for one in wanted)


def _watched(handler: Handler) -> Handler:
    async def handle(event: Event) -> None:
        begun = time.perf_counter()
        try:
            with span_for(event):
                handled: Any = handler(event)
                if isawaitable(handled):
                    await handled
        except BaseException as error:
            eventbus_metrics.record_handler_error(event.type, type(error).__name__)
            raise
        else:
            eventbus_metrics.record_event_delivered(event.type, 1)
        finally:
            took = (time.perf_counter() - begun) * 1e3
            eventbus_metrics.record_handler_duration(event.type, took)

    return handle


_OBSERVER: Final = Observer()


def watch() -> None:
    """Let every bus be looked at from now on."""
    EventBus.observer = _OBSERVER


def leave() -> None:
    """Look at no bus any more."""
    EventBus.observer = None
