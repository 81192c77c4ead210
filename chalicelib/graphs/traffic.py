"""Reading the traffic of a window, from minutes and from hours put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from chalicelib.aws import Item
from chalicelib.graphs.counting import KEPT_SECONDS, hour_partition
from chalicelib.graphs.flows import Sheet, pack, read_minute, unpack
from chalicelib.table import Table
from chalicelib.telemetry import log_error

_HOURS: Final = "traffic-hours"
#: The item that tells up to which hour there are items of hours; sorts behind them.
_CHECKPOINT: Final = "~until"
#: Clocks of processes differ by less: a minute this long over gets nothing more.
_SETTLED_SECONDS: Final = 120
#: So many hours one tick of the sweep puts together.
_HOURS_A_TICK: Final = 12
#: So many minutes that are over a process remembers: those of all windows but the long.
_REMEMBERED: Final = 65


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted from one moment to another, in Unix seconds."""

    since: float
    until: float
    sheet: Sheet


@dataclass
class Traffic:
    """
    The counted traffic, as pages ask for it every few seconds.

    Minutes that are over do not change, so a process reads them once; hours that are
    over rest as one item each, so that a week is a query or two.
    """

    table: Table
    clock: Callable[[], float] = time.time
    #: The first hour that is not put together yet, as far as this process knows.
    _rolled: int = 0
    _over: dict[int, Sheet] = field(default_factory=dict)

    def window(self, seconds: int) -> Window:
        """
        Return what was counted in the last seconds.

        It begins with a whole minute, so up to one earlier than asked for.
        """
        now = self.clock()
        first = int(now - seconds) // 60
        hour, last = first // 60, int(now) // 3600
        sheet = Sheet()
        if last - hour <= 1:
            self._add_recent(sheet, first)
        else:
            rolled = self._add_hours(sheet, hour, last)
            for minute in self._minutes(hour, first).values():
                sheet.merge(minute)
            self._add_recent(sheet, rolled * 60)
        return Window(first * 60, now, sheet)

    def _add_hours(self, sheet: Sheet, after: int, last: int) -> int:
        """Add the items of hours after one; return the first hour without."""
        found = list(self.table.query(_HOURS, after=_hour_key(after)))
        told = next((int(i["hour"]) for i in found if i["sk"] == _CHECKPOINT), 0)
        until = min(told, last)
        for item in found:
            if item["sk"] < _hour_key(until):
                sheet.merge(unpack(item["sheet"]))
        return max(until, after + 1)

    def _add_recent(self, sheet: Sheet, first: int) -> None:
        """Add the minutes from one on."""
        minute = first
        while minute in self._over:
            sheet.merge(self._over[minute])
            minute += 1
        now = int(self.clock())
        read: dict[int, Sheet] = {}
        # The clock of who counted may be ahead of ours by a little.
        for hour in range(minute // 60, (now + _SETTLED_SECONDS) // 3600 + 1):
            read |= self._minutes(hour, minute)
        for found in read.values():
            sheet.merge(found)
        self._remember(read, range(minute, (now - _SETTLED_SECONDS) // 60))

    def _remember(self, read: dict[int, Sheet], over: range) -> None:
        oldest = over.stop - _REMEMBERED
        for minute in range(max(over.start, oldest), over.stop):
            self._over[minute] = read.get(minute, Sheet())
        for minute in [one for one in self._over if one < oldest]:
            del self._over[minute]

    def _minutes(self, hour: int, first: int) -> dict[int, Sheet]:
        """Read the minutes of one hour, from one of them on."""
        minutes: dict[int, Sheet] = {}
        for item in self.table.query(hour_partition(hour), after=f"{first:09d}"):
            minute = int(item["sk"].partition("#")[0])
            minutes.setdefault(minute, Sheet()).merge(read_minute(item))
        return minutes

    def roll_up(self) -> int:
        """
        Put the hours that are over together, some at a time; return how many.

        Doing it twice, or side by side, changes nothing. It never raises: the sweep
        has more to do, and readers take the minutes meanwhile.
        """
        try:
            return sum(1 for _ in self._roll_up())
        except Exception as error:  # noqa: BLE001 - whatever it was, the next tick goes on
            log_error("the traffic of an hour was not put together", error)
            return 0

    def _roll_up(self) -> Iterator[int]:
        end = int(self.clock() - _SETTLED_SECONDS) // 3600
        if self._rolled >= end:
            return
        for hour in self._due(end):
            sheet = _sum(self._minutes(hour, hour * 60).values())
            if sheet.flows or sheet.left_out:
                self.table.put(self._hour(hour, sheet))
            self._rolled = hour + 1
            yield hour
        self.table.put({"pk": _HOURS, "sk": _CHECKPOINT, "hour": self._rolled})

    def _due(self, end: int) -> Iterable[int]:
        row = self.table.get(_HOURS, _CHECKPOINT)
        # The sweep ticks from the first minute on: without its checkpoint nothing that
        # was counted is older than the hour that was just over.
        begun = int(row["hour"]) if row else end - 1
        begun = max(begun, self._rolled, end - KEPT_SECONDS // 3600)
        self._rolled = begun
        return range(begun, min(end, begun + _HOURS_A_TICK))

    def _hour(self, hour: int, sheet: Sheet) -> Item:
        return {
            "pk": _HOURS,
            "sk": _hour_key(hour),
            "sheet": pack(sheet),
            "ttl": hour * 3600 + KEPT_SECONDS,
        }


def _sum(sheets: Iterable[Sheet]) -> Sheet:
    total = Sheet()
    for sheet in sheets:
        total.merge(sheet)
    return total


def _hour_key(hour: int) -> str:
    return f"{hour:08d}"
