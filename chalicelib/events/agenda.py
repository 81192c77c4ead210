"""The agenda: what is to be done later, as rows that survive everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.table import Table
from chalicelib.telemetry import log as log_line
from chalicelib.telemetry import log_error

#: A writer may be this slow between choosing a row's minute and the row being there: it
#: is one call, and calls are given up sooner.
SETTLE_MS: Final = 60_000
#: The sweep ticks from the first minute on: without a checkpoint nothing is older.
UNCHECKED_MS: Final = 900_000
_MINUTE_MS: Final = 60_000
_CHECKPOINT: Final = ("checkpoint", "agenda")
_FIRST_DELAY_MS: Final = 5_000
_LONGEST_DELAY_MS: Final = 3_600_000


@dataclass(slots=True)
class Agenda:
    """
    Rows by the minute in which they are due, each with a handler by its kind.

    A row is there until its handler succeeded, so a handler runs at least once, and
    now and then twice: it must be idempotent, and look whether what its row refers
    to still stands.
    """

    table: Table
    #: What to do with the `ref` of a row, by the row's kind.
    handlers: Mapping[str, Callable[[Item], object]]
    clock: Callable[[], float] = time.time

    def add(self, kind: str, name: str, at_ms: int, ref: Item) -> None:
        """
        Note what to do at a moment (Unix milliseconds); noting it twice is once.

        What is due already is done by the next tick.
        """
        self.table.put(self.row(kind, name, at_ms, ref))

    def row(self, kind: str, name: str, at_ms: int, ref: Item) -> Item:
        """Return what `add` writes, for those who write it together with more."""
        # No tick looks at a minute that is long over: what is late belongs to this one.
        minute = max(at_ms, self._now_ms()) // _MINUTE_MS
        return {
            "pk": _partition(minute),
            "sk": f"{at_ms:013d}#{kind}#{name}",
            "kind": kind,
            "name": name,
            "at_ms": at_ms,
            "ref": ref,
        }

    def remove(self, kind: str, name: str, at_ms: int) -> None:
        """Take a row off again; one that is due may be on its way all the same."""
        self.table.delete(
            _partition(at_ms // _MINUTE_MS), f"{at_ms:013d}#{kind}#{name}"
        )

    def tick(self, seconds: float = 20) -> int:
        """
        Do what is due, oldest first, for at most so long; return how many were done.

        Minutes that are over and empty are never looked at again. Two ticks at once
        do some rows twice and lose none.
        """
        deadline = time.monotonic() + seconds
        first = self._checkpoint()
        last = self._now_ms() // _MINUTE_MS
        done, minute = 0, first
        while minute <= last and time.monotonic() < deadline:
            for row in self._due(minute):
                done += self._do(row)
                if time.monotonic() > deadline:
                    break
            else:
                minute += 1
        self._advance(first, minute)
        return done

    def _now_ms(self) -> int:
        return int(self.clock() * 1000)

    def _checkpoint(self) -> int:
        found = self.table.get(*_CHECKPOINT)
        if found is None:
            minute = (self._now_ms() - UNCHECKED_MS) // _MINUTE_MS
            pk, sk = _CHECKPOINT
            found = {"pk": pk, "sk": sk, "minute": minute}
            self.table.put_new(found)
        return int(found["minute"])

    def _due(self, minute: int) -> Iterator[Item]:
        until = f"{self._now_ms() + 1:013d}"
        yield from self.table.query(_partition(minute), until=until)

    def _do(self, row: Item) -> bool:
        try:
            self.handlers[row["kind"]](row["ref"])
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
            log_error("an agenda row failed", error, kind=row["kind"], name=row["name"])
            self._put_off(row)
            return False
        self.table.delete(row["pk"], row["sk"])
        return True

    def _put_off(self, row: Item) -> None:
        attempts = int(row.get("attempts", 0)) + 1
        delay = min(_FIRST_DELAY_MS << min(attempts - 1, 20), _LONGEST_DELAY_MS)
        later = self.row(row["kind"], row["name"], self._now_ms() + delay, row["ref"])
        # Only one of two ticks moves the row: otherwise it would become two rows.
        if self.table.move((row["pk"], row["sk"]), {**later, "attempts": attempts}):
            log_line("an agenda row waits", name=row["name"], attempts=attempts)

    def _advance(self, first: int, minute: int) -> None:
        settled = (self._now_ms() - SETTLE_MS) // _MINUTE_MS
        reached = min(minute, settled)
        if reached > first:
            self.table.set(*_CHECKPOINT, {"minute": reached}, only_if={"minute": first})


def _partition(minute: int) -> str:
    return f"agenda#{minute}"
