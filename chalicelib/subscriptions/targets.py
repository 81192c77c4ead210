"""The kinds of target, and one attempt at each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Aws
from chalicelib.subscriptions.model import Queue, Subscription, Webhook
from chalicelib.subscriptions.rows import Row
from chalicelib.subscriptions.webhook import Outcome, WebhookSender
from chalicelib.telemetry import context_of, request, shared_context
from chalicelib.wire import Placed, encode, passed_through
from eventyard.core.errors import SubscriptionError
from eventyard.core.event import Event

_ENTRIES: Final = 10
_CALL_BYTES: Final = 250_000


@dataclass
class Targets:
    """Sends events to webhooks with their payloads, to queues as the log holds them."""

    webhooks: WebhookSender
    queues: QueueSender
    whole: Callable[[Event], Event]

    def attempt(
        self, subscription: Subscription, events: Sequence[Placed], first: Row
    ) -> Outcome:
        """Send the events in one request; never raises for what a target does."""
        about = {
            "eventyard.subscription": subscription.id,
            "eventyard.attempt": first.tries + 1,
        }
        told = [placed.event for placed in events]
        with request("deliver", told, **about) as sending:
            # What goes out with others keeps its own trace; the request has one.
            passed = passed_through(sending, events) if len(events) == 1 else events
            context = sending.context or shared_context(told)
            headers = {} if context is None else context.headers()
            outcome = self._attempt(subscription, passed, first, headers)
            sending.error = outcome.error
            if outcome.status is not None:
                sending.attributes["http.response.status_code"] = outcome.status
        return outcome

    def _attempt(
        self,
        subscription: Subscription,
        events: Sequence[Placed],
        first: Row,
        traced: Mapping[str, str],
    ) -> Outcome:
        headers = {
            "eventyard-subscription": subscription.id,
            "eventyard-attempt": str(first.tries + 1),
            "eventyard-delivery": "replay" if first.replay else "live",
        }
        if first.replay:
            headers["eventyard-replay"] = first.replay
        target = subscription.target
        if isinstance(target, Queue):
            return self.queues.send(target, events, headers)
        return self._post(target, subscription, events, first, {**headers, **traced})

    def _post(
        self,
        target: Webhook,
        subscription: Subscription,
        events: Sequence[Placed],
        first: Row,
        headers: dict[str, str],
    ) -> Outcome:
        whole = [Placed(one.place, self.whole(one.event)) for one in events]
        return self.webhooks.send(
            target,
            whole,
            # The same for each try, so that a receiver knows what it has seen.
            message_id=f"{first.replay or 'msg'}_{first.place}",
            headers=headers,
            timeout_s=subscription.retry.timeout_s,
        )


@dataclass
class QueueSender:
    """
    Sends CloudEvents to SQS queues of this account.

    A payload above 200 KB arrives as the log holds it: as a `dataref` to S3.
    """

    aws: Aws

    def send(
        self, target: Queue, events: Sequence[Placed], headers: dict[str, str]
    ) -> Outcome:
        """Send the events; all were taken or the attempt failed."""
        from botocore.exceptions import BotoCoreError, ClientError

        started = time.monotonic()
        try:
            url = self._url(target.queue)
            calls = _calls(events, headers)
            refused = [fault for call in calls for fault in self._send(url, call)]
            error = refused[0] if refused else None
        except (ClientError, BotoCoreError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:300]
        took = round((time.monotonic() - started) * 1000)
        return Outcome(delivered=error is None, error=error, duration_ms=took)

    def check(self, name: str) -> None:
        """Raise SubscriptionError unless there is such a queue."""
        from botocore.exceptions import ClientError

        try:
            self._url(name)
        except ClientError as error:
            raise SubscriptionError(
                f"target.queue: {name} cannot be used: {error}"
            ) from None

    def _url(self, name: str) -> str:
        return self.aws.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def _send(self, url: str, entries: list[Any]) -> list[str]:
        answer = self.aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        return [f"SQS refused: {f.get('Message')}" for f in answer.get("Failed", ())]


def _calls(events: Sequence[Placed], headers: dict[str, str]) -> list[list[Any]]:
    calls: list[list[Any]] = [[]]
    size = 0
    for index, placed in enumerate(events):
        text = encode(placed)
        weight = len(text.encode()) + 500
        if calls[-1] and (len(calls[-1]) == _ENTRIES or size + weight > _CALL_BYTES):
            calls.append([])
            size = 0
        size += weight
        calls[-1].append(_entry(index, placed, text, headers))
    return calls


def _entry(index: int, placed: Placed, text: str, headers: dict[str, str]) -> Any:
    # Messages are read one by one: each says of which trace it is.
    context = context_of(placed.event)
    told = {**headers, **(context.headers() if context else {})}
    attributes = {
        **{n: {"DataType": "String", "StringValue": v} for n, v in told.items()},
        "type": {"DataType": "String", "StringValue": placed.event.type},
        "priority": {
            "DataType": "Number",
            "StringValue": str(placed.event.priority),
        },
    }
    return {"Id": str(index), "MessageBody": text, "MessageAttributes": attributes}
