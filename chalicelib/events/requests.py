"""Requests over the log: an event that asks, and the first event that answers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.events.log import EventLog
from chalicelib.events.publication import REPLY, Draft, Published, digest_of, is_reply
from chalicelib.table import Table, ThrottledError
from eventyard.core import ulid
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RequestError,
    TimeoutError,  # noqa: A004
    UnavailableError,
    ValidationError,
)
from eventyard.core.event import Event

#: How long a requester may wait: API Gateway gives up after 29 seconds.
SHORTEST: Final = 0.1
LONGEST: Final = 25.0
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.25
_KEPT_SECONDS: Final = 86_400
_ATTEMPTS: Final = 5
_PREFIX: Final = "evt_"


@dataclass(slots=True)
class Requests:
    """
    A request is known by the key of its commit; so is its answer, in an item beside.

    That item is written once, together with the answer's commit or by the requester
    who no longer waits: so exactly one of them is first.
    """

    table: Table
    log: EventLog
    #: Raises InvalidRequestError unless drafts may be a commit.
    check: Callable[[Sequence[Draft]], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def request(self, draft: Draft, by: str, seconds: float) -> Event:
        """
        Publish a request and wait for its answer.

        Raises RequestError with what the responder says went wrong, or TimeoutError
        when nobody answered in time.
        """
        return self.wait(self.send(draft, by, seconds), seconds)

    def send(self, draft: Draft, by: str, seconds: float) -> str:
        """Publish a request that lives so long; return the key of its commit."""
        _check_request(draft)
        self.check([draft])
        key = self.log.new_key()
        event = _addressed(draft.event, key, self.log.now_ms(), seconds)
        row = {
            "pk": _partition(key),
            "sk": "request",
            "type": event.type,
            "correlation_id": event.correlation_id,
            "expires_ms": self.log.now_ms() + int(seconds * 1000),
            "ttl": self._forgotten_at(),
        }
        self._write([row, self.log.item(key, [event], by)])
        return key

    def wait(self, key: str, seconds: float) -> Event:
        """Wait for the answer to a request; raises as `request` does."""
        deadline = self.clock() + seconds
        pause = _FIRST_PAUSE
        while (answer := self._answer(key)) is None:
            left = deadline - self.clock()
            if left <= 0:
                return self._give_up(key, seconds)
            self.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return self._read(key, answer)

    def _answer(self, key: str) -> Item | None:
        return self.table.get(_partition(key), "reply")

    def _give_up(self, key: str, seconds: float) -> Event:
        # From here on an answer is refused: nobody is told yes for what nobody reads.
        gone = {"pk": _partition(key), "sk": "reply", "ttl": self._forgotten_at()}
        if self.table.put_new(gone):
            raise TimeoutError(
                f"Nobody answered within {seconds:g} seconds.",
                details={"request_id": _PREFIX + key},
            )
        answer = self._answer(key)
        if answer is None:
            raise UnavailableError("The answer cannot be read just now.")
        return self._read(key, answer)

    def _read(self, key: str, answer: Item) -> Event:
        commit = self.log.get(answer["commit"])
        if commit is None:
            raise UnavailableError("The answer cannot be read just now.")
        (event,) = commit.events
        error = event.attributes.get("error")
        if error is not None:
            raise RequestError(
                f"The responder failed: {error['message']}",
                details={**error, "request_id": _PREFIX + key},
            )
        return self.log.whole(event)

    def waiting(self, request_id: str) -> Item:
        """
        Return the row of a request: its `type`, and until when it waits.

        Raises NotFoundError.
        """
        key = request_id.removeprefix(_PREFIX)
        row = None
        if request_id.startswith(_PREFIX) and ulid.is_ulid(key):
            row = self.table.get(_partition(key), "request")
        if row is None:
            raise NotFoundError(
                f"There is no request {request_id}, or it is long over.",
                details={"request_id": request_id},
            )
        return row

    def reply(self, request_id: str, said: Mapping[str, Any], by: str) -> Published:
        """Answer a request with event fields, `payload` or `error` among them."""
        key = request_id.removeprefix(_PREFIX)
        draft = Draft(Event.from_dict({**said, "type": REPLY + key}), own_id=False)
        self.check([draft])
        (told,) = self.answer([draft], by)
        return told

    def answer(self, drafts: Sequence[Draft], by: str) -> list[Published]:
        """
        Publish an answer: an event whose type is the private address of a request.

        The first one counts. Raises NotFoundError for an unknown request, and
        ConflictError when it was answered or is over; the same answer sent again is
        told what it was told before.
        """
        if len(drafts) != 1:
            raise InvalidRequestError("A reply is a commit of its own: send it alone.")
        (draft,) = drafts
        key = draft.event.type.removeprefix(REPLY)
        row = self.waiting(_PREFIX + key)
        event = _completed(draft, key, row)
        digest = digest_of([Draft(event, own_id=False)])
        return [self._publish(key, row, event, {"by": by, "digest": digest})]

    def _publish(self, key: str, row: Item, event: Event, more: Item) -> Published:
        there = self._answer(key)
        if there is None and row["expires_ms"] < self.log.now_ms():
            raise _over(key)
        if there is None:
            there = self._write_answer(key, event, more)
        if "commit" not in there:
            raise _over(key)
        if there["by"] != more["by"] or there["digest"] != more["digest"]:
            raise ConflictError(
                "This request was answered already; the first answer counts.",
                details={"request_id": _PREFIX + key},
            )
        return Published(
            _PREFIX + there["commit"],
            there["timestamp"],
            deduplicated=there["commit"] != event.id.removeprefix(_PREFIX),
        )

    def _write_answer(self, key: str, event: Event, more: Item) -> Item:
        commit = self.log.new_key()
        event.id = _PREFIX + commit
        answer = {
            "pk": _partition(key),
            "sk": "reply",
            "commit": commit,
            "timestamp": event.to_dict()["timestamp"],
            "ttl": self._forgotten_at(),
            **more,
        }
        if not self._write([answer, self.log.item(commit, [event], more["by"])]):
            there = self._answer(key)
            if there is None:
                raise UnavailableError("The answer cannot be written just now.")
            return there
        return answer

    def _write(self, items: Sequence[Item]) -> bool:
        for attempt in range(_ATTEMPTS):
            try:
                return not self.table.put_all_new(items)
            except ThrottledError:  # another answer is written at this very moment
                self.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
        raise UnavailableError("Too many answer at the same moment; try again.")

    def _forgotten_at(self) -> int:
        return self.log.now_ms() // 1000 + _KEPT_SECONDS


def _check_request(draft: Draft) -> None:
    event = draft.event
    given = {
        "id": draft.own_id,
        "deliver_at": draft.deliver_at is not None,
        "ttl": event.ttl is not None,
        "expires_at": event.expires_at is not None,
        "reply_to": "reply_to" in event.attributes,
        "type": is_reply(event.type),
    }
    for name in (name for name, is_there in given.items() if is_there):
        raise InvalidRequestError(
            f"{name}: a request gets this from the platform.", details={"field": name}
        )


def _addressed(event: Event, key: str, now_ms: int, seconds: float) -> Event:
    event.id = _PREFIX + key
    event.correlation_id = event.correlation_id or event.id
    event.ttl = seconds
    event.expires_at = datetime.fromtimestamp(now_ms / 1000 + seconds, UTC)
    event.attributes["reply_to"] = REPLY + key
    return event


def _completed(draft: Draft, key: str, row: Item) -> Event:
    event = draft.event
    if draft.deliver_at is not None:
        raise _fault("deliver_at", "a reply cannot be put off")
    if event.correlation_id not in (None, row["correlation_id"]):
        raise _fault("correlation_id", "it is not that of the request")
    if "error" in event.attributes:
        _check_error(event.attributes["error"])
    elif not isinstance(event.payload, dict):
        raise _fault("payload", "a reply is an object")
    event.correlation_id = row["correlation_id"]
    event.causation_id = _PREFIX + key
    return event


def _check_error(error: Any) -> None:
    texts = isinstance(error, dict) and all(isinstance(v, str) for v in error.values())
    if not texts or set(error) != {"type", "message"}:
        raise _fault("error", "it has the texts `type` and `message`")


def _over(key: str) -> ConflictError:
    return ConflictError(
        "Nobody waits for this answer any more.",
        code="request_expired",
        details={"request_id": _PREFIX + key},
    )


def _fault(field: str, what: str) -> ValidationError:
    return ValidationError(f"{field}: {what}.", details={"field": field})


def _partition(key: str) -> str:
    return f"request#{key}"
