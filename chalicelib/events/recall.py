"""Reading on from a cursor: what came after it, and what may have slipped by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.events.log import Commit, EventLog, time_key
from chalicelib.events.marks import Mark, Marks
from chalicelib.events.messages import messages_of
from chalicelib.events.stragglers import Stragglers
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
    socket keeps its order, so what was posted earlier arrived earlier. What was
    offered later than ten seconds after its place is found by the stragglers.
    """

    log: EventLog
    marks: Marks
    stragglers: Stragglers

    def read_after(
        self, cursor: str, until: str, read_ms: int | None = None
    ) -> Iterator[Placed]:
        """
        Yield the events to send, the stragglers first, each part oldest first.

        `read_ms` says when the cursor's event was read from the log for the
        connection; without it, it was sent as it was routed.
        """
        start = time_key(ulid.timestamp_ms(cursor) - OVERLAP_MS)
        before = list(self.log.forward(start, cursor))
        names = _names(before)
        marks = self.marks.read(names.values())
        began = _began(cursor, marks.get(names.get(cursor, "")), read_ms)
        yield from self._stragglers(start, began)
        for placed in _placed(before):
            mark = marks.get(names[placed.place])
            if placed.place > cursor or not _surely_sent(mark, began):
                yield placed
        yield from _placed(self.log.forward(cursor, until))

    def _stragglers(self, start: str, began: float) -> Iterator[Placed]:
        wanted = self.stragglers.since(int(began * 1000))
        commits = self.log.holding(place for place in wanted if place < start)
        return (placed for placed in _placed(commits) if placed.place in wanted)


def read_again(log: EventLog, cursor: str, until: str) -> Iterator[Placed]:
    """Yield what came after a cursor, and all of the ten seconds before it again."""
    start = time_key(ulid.timestamp_ms(cursor) - OVERLAP_MS)
    return _placed(log.forward(start, until))


def _began(cursor: str, own: Mark | None, read_ms: int | None) -> float:
    """Return from when on something may not have reached the connection."""
    if read_ms is not None:
        return read_ms / 1000
    # The cursor of a greeting is no event: then the connection began there.
    return own.started if own else ulid.timestamp_ms(cursor) / 1000


def _surely_sent(mark: Mark | None, began: float) -> bool:
    return mark is not None and mark.clean and mark.ended < began - _SKEW_SECONDS


def _placed(commits: Iterable[Commit]) -> Iterator[Placed]:
    return (placed for commit in commits for placed in commit.placed())


def _names(commits: Sequence[Commit]) -> dict[str, str]:
    return {
        place: message.name
        for commit in commits
        for message in messages_of(commit)
        for place in message.places
    }
