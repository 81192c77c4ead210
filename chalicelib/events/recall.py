"""Reading on from a cursor: what came after it, and what may have slipped by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.events.log import Commit, EventLog, time_key
from chalicelib.events.marks import Mark, Marks
from chalicelib.events.messages import messages_of
from chalicelib.wire import Placed
from eventyard.core import ulid

#: So far behind a cursor it looks: several processes make ULIDs, and a lower one can
#: become visible after a higher one was read.
OVERLAP_MS: Final = 10_000
#: Two functions' clocks may differ so much.
_SKEW_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Recall:
    """
    Reads the log for a connection that comes back.

    Places become visible out of order, so it begins ten seconds before the cursor,
    and leaves out what the connection was sent before the cursor's own event: a
    socket keeps its order, so what was posted earlier arrived earlier.
    """

    log: EventLog
    marks: Marks

    def read_after(self, cursor: str, until: str) -> Iterator[Placed]:
        """Yield the events to send, oldest first."""
        start = time_key(ulid.timestamp_ms(cursor) - OVERLAP_MS)
        before = list(self.log.forward(start, cursor))
        yield from self._not_sent(before, cursor)
        for commit in self.log.forward(cursor, until):
            yield from commit.placed()

    def _not_sent(self, commits: Sequence[Commit], cursor: str) -> Iterator[Placed]:
        names = _names(commits)
        marks = self.marks.read(names.values())
        own = marks.get(names.get(cursor, ""))
        # The cursor of a greeting is no event: then the connection began there.
        began = own.started if own else ulid.timestamp_ms(cursor) / 1000
        for commit in commits:
            for placed in commit.placed():
                mark = marks.get(names[placed.place])
                if placed.place > cursor or not _surely_sent(mark, began):
                    yield placed


def _surely_sent(mark: Mark | None, began: float) -> bool:
    return mark is not None and mark.clean and mark.ended < began - _SKEW_SECONDS


def _names(commits: Iterable[Commit]) -> dict[str, str]:
    return {
        place: message.name
        for commit in commits
        for message in messages_of(commit)
        for place in message.places
    }
