"""Places in the log that clients keep here, under names of their own."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.auth import Principal
from chalicelib.table import Table


@dataclass(frozen=True, slots=True)
class PositionStore:
    """One partition for each caller; who else uses a name meets nobody."""

    table: Table

    def get(self, by: Principal, name: str) -> str | None:
        """Return the place that is kept under a name."""
        item = self.table.get(_partition(by), name)
        return None if item is None else str(item["stamp"])

    def keep(self, by: Principal, name: str, cursor: str) -> str:
        """Keep a place, unless it is not beyond what is kept; return what is kept."""
        # It stays for good: who was away for long must not begin at the end.
        item = {"pk": _partition(by), "sk": name, "stamp": cursor}
        if self.table.put_newer(item):
            return cursor
        return self.get(by, name) or cursor


def _partition(by: Principal) -> str:
    return f"position#{by.id}"
