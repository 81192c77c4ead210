"""What addresses of circles read, and how they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call
from chalicelib.api._parameters import Parameter
from eventyard.core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from chalicelib.circles.once import Attempt
    from chalicelib.circles.tasks import WantedTasks

#: As the package has them: loading it for a word list would slow each cold start.
TASK_STATUSES: Final = (
    "pending",
    "claimed",
    "in_progress",
    "review",
    "changes_requested",
    "blocked",
    "completed",
    "cancelled",
    "failed",
)
KEY: Final = Parameter(
    "Idempotency-Key",
    "A second try with the same one, within a day, is answered with the first.",
)
_LONGEST_NUMBER: Final = 12
_FLAGS: Final = {"true": True, "false": False}


def attempt(call: Call, kind: str, shape: type[BaseModel]) -> Attempt:
    """Read what is to be made, and the key that tells a second try."""
    from chalicelib.circles.once import Attempt
    from chalicelib.events.drafts import check_idempotency_key

    key = check_idempotency_key(call.header("idempotency-key"))
    wish = call.body(shape).model_dump(exclude_none=True)
    return Attempt(call.principal, key, kind, wish)


def number(kind: str, text: str) -> int:
    """Return a number of an address; raises NotFoundError: nothing has another id."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise NotFoundError(f"There is no {kind} {text:.64}.", details={kind: text})
    return int(text)


def task(call: Call, task_id: str, circle: str | None) -> tuple[int, int | None]:
    """Return the number of a task, and of its circle where the address names one."""
    found = number("task", task_id)
    if circle is None:
        return found, None
    return found, call.platform.circles.service.find(circle).id


def wanted(status: str | None, state: str | None, order: str) -> WantedTasks:
    """Return which tasks a list is of; raises InvalidRequestError."""
    from chalicelib.circles.tasks import WantedTasks

    over = None if state is None else state == "ended"
    if order != "ended":
        return WantedTasks(status, over)
    if over is False:
        raise InvalidRequestError(
            "What goes on has no end to be in order of: order=ended goes with "
            "state=ended.",
            details={"parameter": "order"},
        )
    return WantedTasks(status, over=True, lately=True)


def flag(text: str) -> bool | None:
    """Return what `is_active` asks for; None: all."""
    return _FLAGS.get(text)


def nothing() -> Response:
    """Answer that it is done, and nothing else."""
    return Response(body="", status_code=204, headers={"Cache-Control": "no-store"})
