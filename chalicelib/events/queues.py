"""The queues between functions: how full they are, what died in them, redriving it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from chalicelib.aws import Aws, Item
from chalicelib.telemetry import count, log_error
from eventyard.core.errors import EventRouterError, NotFoundError
from eventyard.core.wire import dumps, loads

_RECEIVE: Final = 10
#: SQS takes 256 KB, the reason included: what is longer could not have come from it.
_KEPT_BYTES: Final = 260_000
_COUNTS: Final = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True, slots=True)
class QueuePair:
    """A queue and where its poison goes; the relay reads a stream, not a queue."""

    url: str | None
    dead_url: str


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Puts what cannot be handled aside, with its reason."""

    aws: Aws
    queues: Mapping[str, QueuePair]

    def bury(self, name: str, body: Any, reason: str) -> None:
        """Move a message into the dead letters of a queue."""
        count("MessagesBuried")
        whole = body if isinstance(body, str) else dumps(body)
        text = whole.encode()[:_KEPT_BYTES].decode(errors="ignore")
        self.aws.sqs.send_message(
            QueueUrl=self.queues[name].dead_url,
            MessageBody=text or "-",
            MessageAttributes={
                "reason": {"DataType": "String", "StringValue": reason[:1000] or "-"}
            },
        )


@dataclass(slots=True)
class QueueService:
    """What an operator does with the queues."""

    aws: Aws
    queues: Mapping[str, QueuePair]
    #: What redriving means where the source is no queue, by name.
    retry: Mapping[str, Callable[[Item], None]] = field(default_factory=dict)

    def all(self) -> list[Item]:
        """Return every queue with its counts and those of its dead letters."""
        return [self._describe(name) for name in self.queues]

    def depth(self) -> int:
        """Return how many messages are on their way through all queues."""
        pairs = self.queues.values()
        return sum(sum(self._counts(p.url).values()) for p in pairs if p.url)

    def _describe(self, name: str) -> Item:
        pair = self.queues[name]
        counts = self._counts(pair.url) if pair.url else dict.fromkeys(_COUNTS, 0)
        dead = self._counts(pair.dead_url)
        return {"name": name, **counts, "dead": sum(dead.values())}

    def _counts(self, url: str) -> dict[str, int]:
        answer = self.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        found = cast("dict[str, str]", answer["Attributes"])
        return {n: int(found.get(attribute, 0)) for n, attribute in _COUNTS.items()}

    def dead_letters(self, name: str, limit: int) -> list[Item]:
        """Show what died in a queue, without taking it away."""
        shown: dict[str, Item] = {}
        for message in self._receive(self._pair(name).dead_url, limit):
            shown[message["MessageId"]] = _show(message)
        self._release(self._pair(name).dead_url, list(shown.values()))
        return [{n: v for n, v in m.items() if n != "handle"} for m in shown.values()]

    def redrive(self, name: str, limit: int) -> Item:
        """
        Send dead letters on their way again.

        Returns how many went, and for those that did not, why; they stay.
        """
        redriven, failures = 0, []
        for message in self._receive(self._pair(name).dead_url, limit):
            try:
                self._send_back(name, message)
            except (EventRouterError, ValueError, KeyError, TypeError) as error:
                log_error("a dead letter was not redriven", error, queue=name)
                failures.append({"id": message["MessageId"], "reason": str(error)})
                continue
            self._delete(self._pair(name).dead_url, message)
            redriven += 1
        return {"queue": name, "redriven": redriven, "failed": failures}

    def purge(self, name: str, limit: int) -> Item:
        """Throw dead letters away."""
        url = self._pair(name).dead_url
        purged = 0
        for message in self._receive(url, limit):
            self._delete(url, message)
            purged += 1
        return {"queue": name, "purged": purged}

    def _send_back(self, name: str, message: Item) -> None:
        if name in self.retry:
            self.retry[name](loads(message["Body"]))
            return
        url = str(self._pair(name).url)
        self.aws.sqs.send_message(QueueUrl=url, MessageBody=message["Body"])

    def _pair(self, name: str) -> QueuePair:
        if name not in self.queues:
            raise NotFoundError(
                f"There is no queue {name}; there are {', '.join(self.queues)}."
            )
        return self.queues[name]

    def _receive(self, url: str, limit: int) -> Iterator[Any]:
        # Ten at a time until nothing new comes: SQS promises no full answer.
        seen: set[str] = set()
        while len(seen) < limit:
            answer = self.aws.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(_RECEIVE, limit - len(seen)),
                VisibilityTimeout=30,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            fresh = [
                message
                for message in answer.get("Messages", [])
                if message["MessageId"] not in seen
            ]
            if not fresh:
                return
            seen.update(message["MessageId"] for message in fresh)
            yield from fresh

    def _release(self, url: str, shown: list[Item]) -> None:
        for message in shown:
            self.aws.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["handle"], VisibilityTimeout=0
            )

    def _delete(self, url: str, message: Item) -> None:
        self.aws.sqs.delete_message(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
        )


def _show(message: Item) -> Item:
    attributes = message.get("Attributes", {})
    sent = int(attributes.get("SentTimestamp", 0)) / 1000
    reason = message.get("MessageAttributes", {}).get("reason", {})
    received = attributes.get("ApproximateReceiveCount", "several")
    return {
        "id": message["MessageId"],
        "sent_at": datetime.fromtimestamp(sent, UTC).isoformat(),
        "reason": reason.get(
            "StringValue", f"failed {received} times; the function's log says why"
        ),
        "body": message["Body"],
        "handle": message["ReceiptHandle"],
    }
