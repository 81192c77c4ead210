"""What becomes of a job by how a try ended: nothing but rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from chalicelib.jobs.model import (
    CANCELLED,
    COMPLETED,
    FAILED,
    MOST_ATTEMPTS,
    PENDING,
    RUNNING,
    JobRow,
    ready_key,
)

_FIRST_DELAY_S: Final = 1.0
_LONGEST_DELAY_S: Final = 60.0
_LONGEST_ERROR: Final = 1_000
NEVER_ENDED: Final = (
    f"It was begun {MOST_ATTEMPTS} times and never ended: the function that did it "
    "died each time."
)
DIED: Final = "The function that did it died."
EXPIRED: Final = "It expired: nobody began it in time."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended."""

    kind: Literal["completed", "failed", "cancelled", "paused"]
    error: str | None = None
    #: Whether another try may help.
    retryable: bool = False
    #: What came of it, as JSON.
    result: str | None = None
    #: What becomes of the error when this was the last try.
    last_error: str | None = None
    #: How long it pauses at least.
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the run of a job knew at its end."""

    progress: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0
    place: str = ""
    #: Somebody asked to stop.
    cancel: bool = False


def after(
    row: JobRow, outcome: Outcome, seen: Seen, now: float
) -> tuple[JobRow, str | None]:
    """
    Return a job after a try, and the name of the event that tells of it, if any.

    Who was told that a job is cancelled finds it cancelled, whatever it came to in
    the meantime; what it brought by then is kept.
    """
    error = outcome.error[:_LONGEST_ERROR] if outcome.error is not None else None
    known = replace(
        row,
        progress=max(seen.progress, 0.0),
        facts=seen.facts or row.facts,
        revision=max(row.revision, seen.revision),
        place=max(row.place, seen.place),
        due=None,
        ready=None,
        error=error,
    )
    if seen.cancel or outcome.kind == "cancelled":
        return replace(known, status=CANCELLED, completed=now), "cancelled"
    match outcome.kind:
        case "completed":
            done = replace(known, status=COMPLETED, completed=now, progress=1.0)
            return done, "completed"
        case "paused":
            waits = replace(known, status=RUNNING, error=row.error)
            if outcome.after_s > 0:
                return replace(waits, due=now + outcome.after_s), None
            return replace(waits, ready=ready_key(waits)), None
    if outcome.retryable and row.attempts < MOST_ATTEMPTS:
        due = now + delay_s(row.attempts)
        return replace(known, status=PENDING, due=due), "progress"
    last = outcome.last_error or error
    return replace(known, status=FAILED, completed=now, error=last), "failed"


def delay_s(attempts: int) -> float:
    """Return how long to wait after so many tries."""
    return float(min(_FIRST_DELAY_S * 2 ** (attempts - 1), _LONGEST_DELAY_S))
