"""What the log is told of jobs; live connections are told by the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.jobs.model import JobRow, news
from eventyard.core import ulid
from eventyard.core.event import Event

#: `eventyard.job.submitted started progress completed failed cancelled`; nobody else
#: can publish under this name.
TOPIC: Final = "eventyard.job."
SOURCE: Final = "eventyard"


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes the event of a change; it is written together with the change."""

    new_key: Callable[[], str]
    #: What appending a commit writes: its key, its events, and who appends.
    log_item: Callable[[str, Sequence[Event], str], Item]

    def told(
        self, row: JobRow, kind: str, more: Mapping[str, Any] | None = None
    ) -> tuple[JobRow, Item]:
        """Return the job with its change counted, and what the log is to hold."""
        # The log has the changes of one job in their order, whatever the clocks of
        # those who make them say.
        fresh = self.new_key()
        place = fresh if fresh > row.place else _later(row.place)
        counted = replace(row, revision=row.revision + 1, place=place)
        event = Event(
            TOPIC + kind,
            {**(more or {}), **news(counted)},
            id=f"evt_{place}",
            source=SOURCE,
            group=row.id,
        )
        return counted, self.log_item(place, [event], SOURCE)


def _later(place: str) -> str:
    return ulid.new_ulid(ulid.timestamp_ms(place) + 1)
