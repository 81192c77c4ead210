"""Events that say again what was just said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eventyard.core.clocks import monotonic
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps

_WINDOW_S: Final = 1.0
_PRUNED_AT: Final = 1_000
_WHOSE: Final = ("source_agent_id", "circle_id", "project_id")


class Repeats:
    """Knows what was published within a window; off unless it is enabled."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.enabled = False
        self.window_s = _WINDOW_S
        self.count = 0
        self._clock = clock
        self._seen: dict[tuple[object, ...], float] = {}

    def is_one(self, event: Event) -> bool:
        """Tell whether an event repeats another one; it is known from now on."""
        key, now = _key(event), self._clock()
        last = self._seen.get(key)
        if last is not None and now - last < self.window_s:
            self.count += 1
            return True
        self._seen[key] = now
        if len(self._seen) > _PRUNED_AT:
            self._prune(now)
        return False

    def _prune(self, now: float) -> None:
        self._seen = {
            key: at for key, at in self._seen.items() if now - at < self.window_s
        }


def _key(event: Event) -> tuple[object, ...]:
    whose = (event.attributes.get(name) for name in _WHOSE)
    return (event.type, event.source, *whose, dumps(event.payload))
