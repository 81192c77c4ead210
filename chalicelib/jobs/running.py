"""A job while it is done: what its service may ask and tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from chalicelib.jobs.claims import Turn
from chalicelib.jobs.gaps import Gaps
from chalicelib.jobs.rows import ResultRows
from chalicelib.jobs.store import CHECKPOINT
from chalicelib.jobs.texts import Texts, size
from chalicelib.table import Put
from eventyard.core.errors import InvalidRequestError
from eventyard.core.wire import dumps, loads
from eventyard.jobs.errors import LONGEST_PAUSE_S, JobCancelled, JobPaused

#: With less than this left a job pauses as soon as it has saved something.
PAUSE_S: Final = 10.0
#: Progress is told once in so long, however often it is reported.
_TOLD_EVERY_S: Final = 1.0
_FACTS_BYTES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Tools:
    """What running jobs share."""

    texts: Texts
    rows: ResultRows
    gaps: Gaps


class RunningJob:
    """The job of `eventyard.jobs.current_job`, kept in the table."""

    def __init__(
        self, turn: Turn, tools: Tools, data: str, seconds_left: Callable[[], float]
    ) -> None:
        row = turn.row
        self.id = row.id
        self.data: Mapping[str, Any] = loads(data)
        self.attempt = row.attempts
        self.previous_job_id = row.previous
        self.seconds_left = seconds_left
        kept = tools.texts.read(row.id, CHECKPOINT)
        self.checkpoint: Any | None = None if kept is None else loads(kept)
        #: Whether something was saved in this invocation.
        self.saved = False
        self._row = row
        self._lease = turn.lease
        self._tools = tools
        self._told_at = -math.inf
        self._text = kept

    @property
    def seen(self) -> dict[str, Any]:
        """Return what is known of its progress, told or not."""
        return {"progress": self._row.progress, "facts": dumps(dict(self._row.facts))}

    async def progress(self, share: float, **facts: Any) -> None:
        """Keep how far it is, tell it now and then, and stop if somebody asked."""
        self._note(share, facts)
        now = self._lease.store.clock()
        # What is not told now is told by the next report, or by the end of the job.
        if now - self._told_at >= _TOLD_EVERY_S:
            self._told_at = now
            self._tell()
        if self._lease.read().get("cancel"):
            raise JobCancelled

    def _note(self, share: Any, facts: Mapping[str, Any]) -> None:
        if not isinstance(share, int | float) or math.isnan(share):
            raise InvalidRequestError(f"Progress is a number from 0 to 1, not {share}.")
        kept = {**self._row.facts, **facts}
        if size(dumps(kept)) > _FACTS_BYTES:
            raise InvalidRequestError(
                f"The facts of a job may have {_FACTS_BYTES} bytes; rows of results "
                "take more."
            )
        done = round(min(max(float(share), 0.0), 1.0), 4)
        self._row = replace(self._row, progress=done, facts=kept)

    def _tell(self) -> None:
        told, commit = self._lease.store.teller.told(self._row, "progress")
        beat = {**self.seen, "revision": told.revision, "place": told.place}
        self._lease.write([Put(commit)], **beat)
        self._row = told

    async def save(self, checkpoint: Any) -> None:
        """Keep what to go on from; then pause, if little is left of this invocation."""
        text = dumps(checkpoint)
        self._lease.write([Put(self._tools.texts.item(self.id, CHECKPOINT, text))])
        self.saved = self.saved or text != self._text
        self.checkpoint, self._text = loads(text), text
        if self.seconds_left() < PAUSE_S:
            raise JobPaused

    async def results(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows; the same key again replaces."""
        # It is kept from the end of the job on, which a pause puts off.
        keep_s = self._row.keep_s + int(LONGEST_PAUSE_S)
        for piece in self._tools.rows.pieces(self.id, rows, keep_s):
            self._lease.write(piece)

    async def rows_of(self, job_id: str) -> list[dict[str, Any]]:
        """Return all rows of another job of this service; none when there is none."""
        found = self._lease.store.get(job_id)
        if found is None or found[0].service != self._row.service:
            return []
        return self._tools.rows.all(job_id)

    async def pause(self, after_s: float = 0) -> NoReturn:
        """Go on in the next invocation, and no earlier than in so many seconds."""
        raise JobPaused(after_s)

    def goes_on(self, paused: JobPaused) -> bool:
        """Tell whether anything may be different when it goes on."""
        waited = paused.after_s > 0 and self.checkpoint is not None
        return self.saved or waited

    async def shared_gap(self, name: str, seconds: float) -> float:
        """Take the next turn at what all workers share."""
        return self._tools.gaps.wait_s(name, seconds)
