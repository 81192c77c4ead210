"""Marks: which messages were routed, when, and whether all of it was taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.table import Table

#: How long a message is remembered as routed.
_SECONDS: Final = 3_600
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """
    One routed message: Unix seconds before its first frame and after its last.

    `clean` when every connection that wanted it took it there and then.
    """

    started: float
    ended: float
    clean: bool


@dataclass(slots=True)
class Marks:
    """Marks in the table, by the name of the message."""

    table: Table
    clock: Callable[[], float] = time.time

    def write(
        self,
        names: Iterable[str],
        started: float,
        beside: Iterable[Item] = (),
        *,
        clean: bool,
    ) -> None:
        """Note that messages were routed, and write other items in the same calls."""
        now = self.clock()
        marks = (
            {
                **dict(zip(("pk", "sk"), key_of(name), strict=True)),
                "started": started,
                "ended": now,
                "clean": clean,
                "ttl": int(now) + _SECONDS,
            }
            for name in names
        )
        self.table.put_many([*beside, *marks])

    def read(self, names: Iterable[str]) -> dict[str, Mark]:
        """Return the marks there are: one call for each 100."""
        wanted = {key_of(name): name for name in names}
        found = self.table.get_many(wanted)
        return {wanted[key]: _mark(item) for key, item in found.items()}


def key_of(name: str) -> Key:
    """Return the key of a message's mark."""
    return f"routed#{name}", "mark"


def _mark(item: Item) -> Mark:
    return Mark(float(item["started"]), float(item["ended"]), bool(item["clean"]))
