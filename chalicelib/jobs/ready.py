"""What is ready to be done, in the order in which it is to be done."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.jobs.model import JobRow, ready_key, who
from chalicelib.table import Table

#: Of more submitters than this with work of one priority some are chosen by chance.
_MOST_ASKED: Final = 100
#: Places in the queue are counted up to here.
_MOST_COUNTED: Final = 1_000
_END: Final = "~"


@dataclass(frozen=True, slots=True)
class Ready:
    """
    One partition for each queue, by priority, then submitter, then age.

    Messages only wake workers up; what one begins is chosen here. So it is the best
    there is at that moment, however messages overtake each other.
    """

    table: Table

    def pick(
        self, queue: str, running: Mapping[str, int], spread: int = 0
    ) -> Item | None:
        """
        Return the next to be begun: of the highest priority, of who has fewest running.

        The older goes first. `spread` is how often another worker was faster: the more
        often, the more of the same submitter's are considered.
        """
        heads = self._heads(queue)
        if not heads:
            return None
        first = min(heads, key=lambda one: (running.get(one["who"], 0), one["age"]))
        if not spread:
            return first
        begins = _begins(first["sk"])
        found = list(
            self.table.query(
                _partition(queue), after=begins, until=begins + _END, limit=spread + 1
            )
        )
        return random.choice(found) if found else first  # noqa: S311 - no secret

    def _heads(self, queue: str) -> list[Item]:
        """Return the oldest of each submitter among those of the highest priority."""
        top = next(self.table.query(_partition(queue), limit=1), None)
        if top is None:
            return []
        rank = top["sk"].partition("#")[0]
        heads = [top, *self._others(queue, rank, _begins(top["sk"]) + _END)]
        if len(heads) > _MOST_ASKED:
            # All of them would take too long; nobody must wait for ever.
            begin = f"{rank}#{random.randbytes(8).hex()}"  # noqa: S311 - no secret
            heads += self._others(queue, rank, begin)
        return heads

    def _others(self, queue: str, rank: str, after: str) -> Iterator[Item]:
        for _ in range(_MOST_ASKED):
            until = f"{rank}#{_END}"
            found = self.table.query(
                _partition(queue), after=after, until=until, limit=1
            )
            head = next(found, None)
            if head is None:
                return
            yield head
            after = _begins(head["sk"]) + _END

    def position(self, row: JobRow) -> int | None:
        """
        Return how many are to be begun up to a job that is ready, itself included.

        None: it is not, or there are too many.
        """
        if row.status != "pending" or row.due is not None:
            return None
        own = ready_key(row)
        rank = own.partition("#")[0]
        found = self.table.query(
            _partition(row.queue),
            until=f"{rank}#{_END}",
            limit=_MOST_COUNTED + 1,
            fields=("sk",),
        )
        before = [one["sk"] for one in found]
        if len(before) > _MOST_COUNTED:
            return None
        return 1 + sum(1 for sk in before if _goes_before(sk, rank, row.ulid))

    def left_lying(self, queue: str, before: float, limit: int) -> int:
        """Count what has been ready since before a moment, among the first so many."""
        found = self.table.query(_partition(queue), limit=limit)
        return sum(1 for one in found if float(one["since"]) < before)


def ready_item(row: JobRow, now: float) -> Item:
    """Return what says that a job is ready."""
    return {
        "pk": _partition(row.queue),
        "sk": row.ready,
        "job": row.id,
        "who": who(row.by),
        "age": row.ulid,
        "since": now,
    }


def ready_item_key(row: JobRow) -> tuple[str, str]:
    """Return where it says that a job is ready."""
    return _partition(row.queue), str(row.ready)


def _partition(queue: str) -> str:
    return f"jobs#ready#{queue}"


def _begins(sk: str) -> str:
    return sk.rpartition("#")[0] + "#"


def _goes_before(sk: str, rank: str, age: str) -> bool:
    return sk.partition("#")[0] < rank or sk.rpartition("#")[2] < age
