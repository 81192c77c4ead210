"""What an event led to: an index by `causation_id`, written as events are routed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.table import Table
from chalicelib.wire import Placed

_DAY: Final = 86_400


@dataclass(slots=True)
class Causes:
    """
    A row for each event that names a cause, in the partition of that cause.

    It holds where the event lies and nothing of it: what was purged is gone.
    """

    table: Table
    retention_days: int
    clock: Callable[[], float] = time.time

    def rows(self, events: Iterable[Placed]) -> Iterator[Item]:
        """Return what is to be written of events; writing it twice changes nothing."""
        ttl = int(self.clock()) + self.retention_days * _DAY
        for placed in events:
            cause = placed.event.causation_id
            if cause:
                yield {"pk": _partition(cause), "sk": placed.place, "ttl": ttl}

    def effects_of(self, event_id: str, most: int) -> Sequence[str]:
        """Return the places of the events that name this one, oldest first: one call."""
        rows = self.table.query(_partition(event_id), limit=most, fields=("sk",))
        return [row["sk"] for row in rows]


def _partition(event_id: str) -> str:
    return f"cause#{event_id}"
