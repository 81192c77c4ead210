"""Limits of a subscription that hold across functions: a rate, and how many at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.table import Table

_RACES: Final = 20
#: How many of many places are asked for before the work is put off.
_MOST_ASKED: Final = 8


@dataclass(slots=True)
class Throttle:
    """
    Turns are given out in advance, so a backlog is spread out instead of retried.

    A place (one request at a time) is leased: a function that dies gives it back.
    """

    table: Table
    clock: Callable[[], float] = time.time

    def wait_s(self, subscription: str, events: int, per_second: float) -> float:
        """Take the next turn for so many events; return how long it is until then."""
        now = self.clock()
        for _ in range(_RACES):
            found = self.table.get("turn", subscription)
            before = float(found["next"]) if found else 0.0
            start = max(now, before)
            if self._take(
                subscription,
                before if found else None,
                start + events / per_second,
            ):
                return start - now
        return 1.0

    def _take(self, subscription: str, before: float | None, after: float) -> bool:
        if before is None:
            item = {"pk": "turn", "sk": subscription, "next": after}
            return self.table.put_new(item)
        return self.table.set(
            "turn", subscription, {"next": after}, only_if={"next": before}
        )

    def take_place(
        self, subscription: str, places: int, owner: str, seconds: float
    ) -> str | None:
        """Take one of so many places, or None when all that were asked are taken."""
        now = self.clock()
        asked = random.sample(range(places), min(places, _MOST_ASKED))
        for place in asked:
            pk, sk = f"place#{subscription}", str(place)
            if self.table.lease(pk, sk, owner, now, now + seconds):
                return sk
        return None

    def give_back(self, subscription: str, place: str, owner: str) -> None:
        """Give a place back; one that was lost meanwhile is left alone."""
        self.table.set(
            f"place#{subscription}", place, {"until": 0}, only_if={"owner": owner}
        )
