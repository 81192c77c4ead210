"""What a job is, where it is kept, and how it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from chalicelib.aws import Item
from eventyard.core import moments
from eventyard.core.wire import dumps, loads

PENDING: Final = "pending"
RUNNING: Final = "running"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
STATES: Final = (PENDING, RUNNING, COMPLETED, FAILED, CANCELLED)
ENDS: Final = frozenset({COMPLETED, FAILED, CANCELLED})
MOST_ATTEMPTS: Final = 3
PREFIX: Final = "job_"
RUNS: Final = "jobs#running"
_LOWEST_RANK: Final = 10

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is stored. While it runs, its run knows more: see `run_key`."""

    id: str
    service: str
    queue: str
    #: Who submitted it.
    by: str
    priority: int
    created: float
    #: How long it is kept when it has ended.
    keep_s: int
    status: str = PENDING
    #: Moves with each write; 0: it is not there yet.
    version: int = 0
    #: Moves with each change that is told, and where the last of them is in the log.
    revision: int = 0
    place: str = ""
    progress: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    #: The invocation that did it last.
    node: str | None = None
    started: float | None = None
    completed: float | None = None
    error: str | None = None
    #: When it is too old to begin.
    expires: float | None = None
    #: When it is due, while it waits for that: its next try, or the end of a pause.
    due: float | None = None
    #: Its place in what is ready to be done, while it is.
    ready: str | None = None
    #: Of its key no other job may be unfinished.
    singleton: str | None = None
    #: How far the turns of a job that is repeated are apart.
    repeat_s: float | None = None
    #: When its turn is, if it repeats another one; and the jobs before and after it.
    turn: float | None = None
    previous: str | None = None
    next: str | None = None
    #: Texts that are small; others rest beside, and None is here.
    data: str | None = None
    result: str | None = None
    #: Which texts rest beside.
    beside: tuple[str, ...] = ()

    @property
    def ulid(self) -> str:
        """Return what sorts it by its age."""
        return self.id.removeprefix(PREFIX)

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.status in ENDS

    @property
    def waits(self) -> bool:
        """Tell whether nobody is doing it, though it has not ended."""
        idle = self.ready is not None or self.due is not None
        return self.status == PENDING or idle

    @property
    def turn_at(self) -> float:
        """Return when its turn is: at once, unless it repeats another one."""
        return self.created if self.turn is None else self.turn

    @property
    def ttl(self) -> int | None:
        """Return when it is forgotten, in Unix seconds."""
        return None if self.completed is None else int(self.completed) + self.keep_s

    def to_item(self) -> Item:
        """Return what is stored of it."""
        pk, sk = job_key(self.id)
        texts = {"facts": dumps(dict(self.facts)), "beside": list(self.beside)}
        return {**asdict(self), **texts, "pk": pk, "sk": sk, "ttl": self.ttl}


def from_item(item: Item) -> JobRow:
    """Read a job as it is stored."""
    known = {one.name: item[one.name] for one in fields(JobRow) if one.name in item}
    known["facts"] = loads(known["facts"])
    known["beside"] = tuple(known["beside"])
    return JobRow(**known)


def job_key(job_id: str) -> Key:
    """Return where a job is kept."""
    return f"job#{job_id}", "job"


def run_key(job_id: str) -> Key:
    """
    Return where the run of a job is kept, while somebody does it.

    It says whose turn it is and until when, how far that is, and whether somebody
    asked to stop. Whatever is written by who does the job depends on it.
    """
    return RUNS, job_id


def list_key(row: JobRow) -> Key:
    """Return where lists find a job."""
    return f"jobs#{row.service}#{row.status}", row.ulid


def ready_key(row: JobRow) -> str:
    """Return the place of a job in what is ready: by priority, submitter, age."""
    return f"{_LOWEST_RANK - row.priority:02d}#{who(row.by)}#{row.ulid}"


def who(by: str) -> str:
    """Return a submitter's name as keys can hold it."""
    return digest(by)[:16]


def digest(text: str) -> str:
    """Return what stands for a text in a key."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def news(row: JobRow) -> dict[str, Any]:
    """Return what events tell of a job."""
    told = {
        "service_name": row.service,
        "job_id": row.id,
        "status": row.status,
        "progress": row.progress,
        "priority": row.priority,
        "attempts": row.attempts,
        "assigned_node": row.node,
        "submitted_by": row.by,
        "revision": row.revision,
    }
    error = {} if row.error is None else {"error": row.error}
    return {**row.facts, **told, **error}


def shown(row: JobRow, run: Item | None) -> dict[str, Any]:
    """Return what is told of a job, save its texts and its place in the queue."""
    run = run or {}
    return {
        "job_id": row.id,
        "task_id": f"task_{row.ulid}",
        "service_name": row.service,
        "status": row.status,
        "priority": row.priority,
        "progress": run.get("progress", row.progress),
        "facts": loads(run["facts"]) if "facts" in run else dict(row.facts),
        "created_at": moments.at(row.created),
        "started_at": _at(row.started),
        "completed_at": _at(row.completed),
        "assigned_node": row.node,
        "attempts": row.attempts,
        "next_try_at": _at(row.due),
        "expires_at": _at(row.expires),
        "repeat_every_s": row.repeat_s,
        "previous_job_id": row.previous,
        "next_job_id": row.next,
        "error": row.error,
        "submitted_by": row.by,
        "queue_position": None,
        "cancel_requested": bool(run.get("cancel")) or row.status == CANCELLED,
        "data": loads(row.data) if row.data is not None else None,
        "result": loads(row.result) if row.result is not None else None,
        "beside": list(row.beside),
    }


def _at(seconds: float | None) -> str | None:
    return None if seconds is None else moments.at(seconds)
