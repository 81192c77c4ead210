"""The turn of whoever does a job: whatever is written for it depends on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from chalicelib.aws import Item
from chalicelib.jobs.model import JobRow, run_key
from chalicelib.jobs.store import JobStore
from chalicelib.table import Change, Write
from chalicelib.telemetry import log_error
from eventyard.core.errors import EventRouterError
from eventyard.core.wire import dumps

LEASE_S: Final = 30.0
_BEAT_S: Final = 10.0


class LostError(EventRouterError):
    """Somebody else does this job now."""

    code = "lease_lost"


@dataclass(slots=True)
class Lease:
    """
    The turn of one worker at one job.

    Its run names the owner. A worker that was away for longer than its lease, and
    whose job somebody else does, can write nothing of it any more.
    """

    store: JobStore
    job_id: str
    owner: str

    def write(self, writes: Sequence[Write] = (), **sets: Any) -> None:
        """Write something of the job, and with it that it goes on; one call."""
        now = self.store.clock()
        beat = {**sets, "until": now + LEASE_S, "heard": now}
        turn = Change(run_key(self.job_id), sets=beat, only_if={"owner": self.owner})

        def act() -> bool:
            failed = self.store.table.write_all([turn, *writes])
            if 0 in failed:
                raise LostError
            return True

        self.store.patiently(act)

    def read(self) -> Item:
        """Read the run; raises LostError when it is somebody else's."""
        run = self.store.table.get(*run_key(self.job_id))
        if run is None or run["owner"] != self.owner:
            raise LostError
        return run


def new_run(row: JobRow, owner: str, now: float) -> Item:
    """Return the run of a job that is begun, or goes on."""
    pk, sk = run_key(row.id)
    return {
        "pk": pk,
        "sk": sk,
        "owner": owner,
        "node": row.node,
        "service": row.service,
        "queue": row.queue,
        "by": row.by,
        "since": now,
        "heard": now,
        "until": now + LEASE_S,
        "progress": row.progress,
        "facts": dumps(dict(row.facts)),
        # What is told while it runs counts on from what the job itself says.
        "revision": 0,
        "place": "",
    }


class Heart:
    """Says in a thread of its own, while a job is done, that it still is."""

    def __init__(self, beat: Callable[[], object], every_s: float = _BEAT_S) -> None:
        self._beat = beat
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin to beat."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; nothing is written behind this."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._beat()
            except LostError:
                return
            except Exception as error:  # noqa: BLE001 - the next beat may be heard
                log_error("a sign of life was not written", error)
