"""Turns at what all workers share, such as a host that wants to be asked slowly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.jobs.model import digest
from chalicelib.table import Table

_RACES: Final = 20
_KEPT_S: Final = 86_400
_PARTITION: Final = "jobs#gap"


@dataclass(slots=True)
class Gaps:
    """Gives turns out in advance, so that nobody asks again and again."""

    table: Table
    clock: Callable[[], float] = time.time

    def wait_s(self, name: str, seconds: float) -> float:
        """Take the next turn; return how long it is until then."""
        sk, now = digest(name)[:32], self.clock()
        for _ in range(_RACES):
            found = self.table.get(_PARTITION, sk)
            before = float(found["next"]) if found else None
            start = max(now, before or 0.0)
            if self._take(sk, before, start + max(seconds, 0.0)):
                return start - now
        # Many others take turns: later than all of them.
        return max(seconds, 1.0)

    def _take(self, sk: str, before: float | None, after: float) -> bool:
        fields = {"next": after, "ttl": int(after) + _KEPT_S}
        if before is None:
            return self.table.put_new({"pk": _PARTITION, "sk": sk, **fields})
        return self.table.set(_PARTITION, sk, fields, only_if={"next": before})
