"""The index of ordered groups: which events of the log belong to which group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.events.log import Commit, EventLog

_SECONDS_A_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class GroupIndex:
    """
    Places by group, written by the relay before anybody hears of an event.

    So whoever delivers a group's later event finds its earlier ones here, in the
    order of the log, whatever order messages arrive in.
    """

    log: EventLog

    def note(self, commits: Iterable[Commit]) -> None:
        """Write the places of events that have the attribute `group`."""
        ttl = int(self.log.clock()) + self.log.retention_days * _SECONDS_A_DAY
        items = [
            {"pk": f"group#{group}", "sk": placed.place, "ttl": ttl}
            for commit in commits
            for placed in commit.placed()
            if isinstance(group := placed.event.attributes.get("group"), str)
        ]
        if items:
            self.log.table.put_many(items)

    def after(self, group: str, place: str) -> Iterator[str]:
        """Yield the places of a group's events behind a place, in order."""
        for item in self.log.table.query(f"group#{group}", after=place, fields=("sk",)):
            yield item["sk"]
