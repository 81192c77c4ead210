"""The job that is being done, for whoever does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol

from eventyard.core.errors import EventRouterError


class Job(Protocol):
    """
    What a service may ask and tell of the job that it does.

    A job may be done in several invocations, and begun again after a crash: what was
    saved last is its `checkpoint` then, and rows of results are told apart by their
    `key`, so nothing is done twice in effect.
    """

    id: str
    #: What was asked for, its defaults filled in.
    data: Mapping[str, Any]
    #: 1 at the first try.
    attempt: int
    #: What was saved last; None at the first start.
    checkpoint: Any | None
    #: The job that this one repeats, if it does.
    previous_job_id: str | None

    async def progress(self, share: float, **facts: Any) -> None:
        """
        Tell how much is done, from 0 to 1, and what is worth knowing besides.

        Also a sign of life. Raises JobCancelled when somebody asked for that.
        """
        ...

    async def save(self, checkpoint: Any) -> None:
        """
        Keep a JSON value to go on from; what was saved before is replaced.

        Raises JobPaused when little is left of this invocation.
        """
        ...

    async def results(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows, each with a text as its `key`: the same key again replaces."""
        ...

    async def rows_of(self, job_id: str) -> list[dict[str, Any]]:
        """
        Return all rows that another job of this service kept, in no order.

        None of them when there is no such job, or not any more. To compare with the
        last run, ask for those of `previous_job_id`.
        """
        ...

    def seconds_left(self) -> float:
        """Return how much is left of this invocation."""
        ...

    async def pause(self, after_s: float = 0) -> NoReturn:
        """
        Go on in the next invocation, from the checkpoint; raises JobPaused.

        That begins no earlier than `after_s` seconds from now, up to a day: such as
        when a host says `Retry-After`. Nothing waits meanwhile, it can be cancelled at
        once, and it costs no try. There must be a checkpoint; without `after_s` it
        must have changed, for otherwise nothing would ever be different.
        """
        ...

    async def shared_gap(self, name: str, seconds: float) -> float:
        """
        Take the next turn at something that all workers share, such as a host.

        Returns how many seconds to wait until then; turns are `seconds` apart.
        """
        ...


_CURRENT: ContextVar[Job] = ContextVar("job")


def current_job() -> Job:
    """Return the job that is being done; raises EventRouterError outside of one."""
    try:
        return _CURRENT.get()
    except LookupError:
        raise EventRouterError(
            "There is no job here: this works while process_job runs.", code="no_job"
        ) from None


@contextmanager
def running(job: Job) -> Iterator[None]:
    """Make a job the current one; whoever calls process_job does so within."""
    token = _CURRENT.set(job)
    try:
        yield
    finally:
        _CURRENT.reset(token)
