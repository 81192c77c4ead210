"""
How a job may end before its time.

EventRouterError
├── JobCancelled    somebody asked for it; let it pass
├── JobPaused       it goes on in the next invocation; let it pass
└── JobFailed       raise it to say whether another try may help
"""

from __future__ import annotations

from typing import Final

from eventyard.core.errors import EventRouterError

#: A job waits for no longer before it looks again.
LONGEST_PAUSE_S: Final = 86_400.0


class JobCancelled(EventRouterError):  # noqa: N818 - says what happened, as the others
    """The job was cancelled."""

    code = "job_cancelled"


class JobPaused(EventRouterError):  # noqa: N818 - as above
    """The job goes on later, from its checkpoint."""

    code = "job_paused"

    def __init__(self, after_s: float = 0) -> None:
        super().__init__()
        #: The earliest that it goes on, in seconds from now, up to a day.
        self.after_s = min(max(0.0, float(after_s)), LONGEST_PAUSE_S)


class JobFailed(EventRouterError):  # noqa: N818 - as above
    """The job failed."""

    code = "job_failed"

    def __init__(self, message: str | None = None, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
