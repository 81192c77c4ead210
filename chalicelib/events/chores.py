"""Chores: small pieces of work that a function leaves to another one, now or soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Aws, Item
from chalicelib.events.queues import DeadLetters
from chalicelib.telemetry import log_error
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.wire import dumps, loads

#: The longest that SQS puts a message off; what is due later is for the agenda.
LONGEST_DELAY: Final = 900
_QUEUE: Final = "chores"


@dataclass(frozen=True, slots=True)
class Chores:
    """A queue of JSON objects, each with a `kind` that says who does it."""

    aws: Aws
    url: str
    dead: DeadLetters
    #: What to do with a message, by its kind; at least once, so idempotently.
    handlers: Mapping[str, Callable[[Item], object]]

    def send(self, chore: Item, delay_seconds: int = 0) -> None:
        """Leave a chore to the queue, after at most 15 minutes."""
        self.aws.sqs.send_message(
            QueueUrl=self.url, MessageBody=dumps(chore), DelaySeconds=delay_seconds
        )

    def run(self, event: Item) -> Item:
        """Do a batch of the queue; returns Lambda's partial batch response."""
        failed = list(self._failures(event["Records"]))
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    def _failures(self, records: list[Item]) -> Iterator[str]:
        for record in records:
            chore = self._read(record)
            if chore is None:
                continue
            try:
                self.handlers[chore["kind"]](chore)
            except Exception as error:  # noqa: BLE001 - it comes again, whatever it was
                log_error("a chore failed", error, kind=chore["kind"])
                yield record["messageId"]

    def _read(self, record: Item) -> Item | None:
        try:
            chore = loads(record["body"])
            if (
                not isinstance(chore, dict)
                or str(chore.get("kind")) not in self.handlers
            ):
                raise InvalidRequestError("This is no chore that anybody does.")
        except EventRouterError as error:
            # It would fail the same way every time.
            log_error("a chore cannot be read", error, message_id=record["messageId"])
            self.dead.bury(_QUEUE, record["body"], str(error))
            return None
        return chore
