"""What the bus of this process does, counted and traced while telemetry is on."""

from __future__ import annotations

import time
from dataclasses import replace
from inspect import isawaitable
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.events._subscribers import Handler, Subscriber, observe
from eventyard.telemetry.handling import span_for
from eventyard.telemetry.metrics import eventbus_metrics


class Watcher:
    """Counts what is published, and how its handlers do."""

    def watched(
        self, event_type: str, wanted: tuple[Subscriber, ...]
    ) -> tuple[Subscriber, ...]:
        """Return subscribers, each looked at while it handles the event."""
        eventbus_metrics.record_event_published(event_type)
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


_WATCHER: Final = Watcher()


def watch() -> None:
    """Let every bus be looked at from now on."""
    observe(_WATCHER)


def leave() -> None:
    """Look at no bus any more."""
    observe(None)
