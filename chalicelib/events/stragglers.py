"""What reached live connections late, or not at once: a resume looks here as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.table import Table
from chalicelib.wire import Placed
from eventyard.core import ulid

#: What is routed so long after it was placed may lie before what a resume reads again.
LATE_MS: Final = 5_000
#: A frame that was put off is sent, or its connection closed, within so long.
_PUT_OFF_MS: Final = 120_000
#: Two functions' clocks differ by less, and what was offered meanwhile is offered here.
_SKEW_MS: Final = 1_000
#: A partition holds an hour; a cursor older than a day is not resumed.
_HOUR_MS: Final = 3_600_000
_TTL_SECONDS: Final = 25 * 3_600


@dataclass(slots=True)
class Stragglers:
    """
    Places of events, by when they were offered to connections.

    Usually there are none: a function died with a message, a queue was long, or a
    connection did not take a frame.
    """

    table: Table
    clock: Callable[[], float] = time.time

    def note_late(self, events: Sequence[Placed]) -> None:
        """Note those that are offered long after they were placed."""
        latest = self._now() - LATE_MS
        self._note(
            [p.place for p in events if ulid.timestamp_ms(p.place) < latest],
            put_off=False,
        )

    def note_put_off(self, events: Sequence[Placed]) -> None:
        """Note those that somebody did not take, and may be sent again."""
        self._note([placed.place for placed in events], put_off=True)

    def _note(self, places: Sequence[str], *, put_off: bool) -> None:
        if not places:
            return
        now = self._now()
        self.table.put(
            {
                "pk": _partition(now // _HOUR_MS),
                "sk": f"{now:013d}#{places[0]}#{put_off:d}",
                "places": list(places),
                "put_off": put_off,
                "ttl": now // 1000 + _TTL_SECONDS,
            }
        )

    def since(self, began_ms: int) -> set[str]:
        """Return the places offered since a moment: one call for each hour."""
        first = began_ms - _PUT_OFF_MS
        return {
            place
            for row in self._rows(first)
            if row["put_off"] or _moment(row) > began_ms - _SKEW_MS
            for place in row["places"]
        }

    def _rows(self, first_ms: int) -> Iterator[Item]:
        hours: Iterable[int] = range(first_ms // _HOUR_MS, self._now() // _HOUR_MS + 1)
        for hour in hours:
            yield from self.table.query(_partition(hour), after=f"{first_ms:013d}")

    def _now(self) -> int:
        return int(self.clock() * 1000)


def _partition(hour: int) -> str:
    return f"straggler#{hour}"


def _moment(row: Item) -> int:
    return int(row["sk"].partition("#")[0])
