"""Sending frames: many connections at once, retries through the queue, the gone out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

from chalicelib.aws import Aws, Item
from chalicelib.live.frames import Renderer, pack
from chalicelib.live.gateway import Gateway, GatewayError
from chalicelib.live.store import Audience, Connection, ConnectionStore, Plan
from chalicelib.table import Table
from chalicelib.telemetry import PRODUCER, Stage, count, log_error, stage
from chalicelib.wire import Placed, sendable
from eventyard.core.wire import dumps

#: A connection younger than this may not be registered yet: gone means wait.
YOUNG_SECONDS: Final = 10.0
_THREADS: Final = 32
_ATTEMPTS: Final = 5
#: One queue message may have 256 KB.
_AGAIN_BYTES: Final = 200_000
COUNTER_KEY: Final = ("counter", "live")


class Tally(Protocol):
    """Counts what flows; never raises."""

    def delivered(self, agent: str, event: str, place: str | None) -> None:
        """Count one event that arrived, by the name of who got it."""
        ...

    def failed(self, agent: str, event: str) -> None:
        """Count one event that was not taken."""
        ...

    def flush(self) -> None:
        """Write down what was counted."""
        ...


@dataclass
class Delivery:
    """Posts frames; one slow or dead connection never holds up the others."""

    aws: Aws
    gateway: Gateway
    connections: ConnectionStore
    table: Table
    queue_url: str
    tally: Tally
    clock: Callable[[], float] = time.time

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=_THREADS)

    def send_plan(self, audience: Audience, plan: Plan) -> bool:
        """Send each connection of a plan its events; tell whether all were taken."""
        events = {placed.place: placed for some in plan.values() for placed, _ in some}
        told = (placed.event for placed in events.values())
        with stage("fan_out", PRODUCER, told) as sending:
            taken = self._send_plan(audience, _passed(plan, sending))
            sending.error = None if taken else "not everybody took it at once"
        return taken

    def _send_plan(self, audience: Audience, plan: Plan) -> bool:
        renderer = Renderer()
        work: list[tuple[Connection, list[str]]] = []
        for connection_id, wanted in plan.items():
            connection = audience.connections[connection_id]
            frames = [
                text for one in wanted for text in renderer.frames(connection, *one)
            ]
            work.append((connection, list(pack(frames, shared=connection.batch))))
        sent = self._post_all(work)
        self._count(sent)
        left = sum(len(messages) for _, messages in work) - sum(sent)
        count("FramesFailed", left)
        for n, (connection, messages) in zip(sent, work, strict=True):
            self._tally(connection, plan[connection.id], taken=n == len(messages))
        return left == 0

    def _tally(
        self,
        connection: Connection,
        wanted: Sequence[tuple[Placed, str]],
        *,
        taken: bool,
    ) -> None:
        """Count what a client got; a dashboard looks on and takes no part."""
        if connection.channel != "router":
            return
        # Several of its subscriptions may want an event: it is one all the same.
        for place, event in {
            placed.place: placed.event for placed, _ in wanted
        }.items():
            if taken:
                self.tally.delivered(connection.own_name, event.type, place)
            else:
                self.tally.failed(connection.own_name, event.type)

    def _post_all(self, work: list[tuple[Connection, list[str]]]) -> list[int]:
        if len(work) == 1:  # no thread for the one dashboard on a laptop
            return [self._post(*work[0])]
        return list(self._pool.map(lambda one: self._post(*one), work))

    def send(self, connection: Connection, frames: Sequence[str]) -> None:
        """
        Send frames to one connection, in order.

        What it does not take goes to the queue for later; a connection that is gone
        is removed.
        """
        self._post(connection, list(pack(frames, shared=connection.batch)))

    def send_whole(self, connection: Connection, frames: Sequence[str]) -> bool:
        """
        Send frames to one connection, in order, all of them now.

        One that does not take them is closed, so that it comes back with its cursor:
        sent later, they would come after what is newer.
        """
        try:
            for text in pack(frames, shared=connection.batch):
                if not self.gateway.post(connection.endpoint, connection.id, text):
                    self.connections.remove(connection.id)
                    return False
        except GatewayError as error:
            log_error("what was missed was not taken", error, connection=connection.id)
            self.drop(connection)
            return False
        return True

    def post_each(self, work: Sequence[tuple[Connection, str]]) -> None:
        """Post each connection its frame, all of them now, as `send_whole` does."""
        if len(work) == 1:
            self.send_whole(work[0][0], [work[0][1]])
        elif work:
            list(self._pool.map(lambda one: self.send_whole(one[0], [one[1]]), work))

    def again(self, connection_id: str, messages: list[str], attempt: int) -> None:
        """Send messages that were put off."""
        connection = self.connections.get(connection_id)
        if connection is None:
            return
        sent = self._post(connection, messages, attempt)
        if sent:
            self.table.add(*COUNTER_KEY, sent=sent)

    def _post(
        self, connection: Connection, messages: Sequence[str], attempt: int = 0
    ) -> int:
        for sent, text in enumerate(messages):
            try:
                taken = self.gateway.post(connection.endpoint, connection.id, text)
            except GatewayError as error:
                log_error("a frame was not taken", error, connection=connection.id)
                self._later(connection, messages[sent:], attempt)
                return sent
            if not taken:
                self._gone(connection, messages[sent:], attempt)
                return sent
        return len(messages)

    def _gone(
        self, connection: Connection, messages: Sequence[str], attempt: int
    ) -> None:
        if self.clock() - connection.connected_at < YOUNG_SECONDS:
            self._later(connection, messages, attempt, delay=1)
        else:
            self.connections.remove(connection.id)

    def _later(
        self,
        connection: Connection,
        messages: Sequence[str],
        attempt: int,
        delay: int | None = None,
    ) -> None:
        if delay is None and attempt >= _ATTEMPTS:
            # Closing makes the client come back with its cursor: no silent gap.
            self.table.add(*COUNTER_KEY, failed=len(messages))
            self.drop(connection)
            return
        seconds = min(2**attempt, 60) if delay is None else delay
        for chunk in _chunks(messages):
            body = {
                "kind": "again",
                "connection": connection.id,
                "messages": chunk,
                "attempt": attempt + 1,
            }
            self.enqueue(body, seconds)

    def drop(self, connection: Connection) -> None:
        """Close a connection from our side and forget it."""
        try:
            self.gateway.close(connection.endpoint, connection.id)
        except GatewayError as error:
            log_error("a connection was not closed", error, connection=connection.id)
        self.connections.remove(connection.id)

    def enqueue(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Put work for the fan-out function into the live queue."""
        self.aws.sqs.send_message(
            QueueUrl=self.queue_url,
            MessageBody=sendable(dumps(dict(body))),
            DelaySeconds=delay_seconds,
        )

    def counted(self) -> Item:
        """Return the counters: messages sent, given up, and broadcasts done."""
        return self.table.get(*COUNTER_KEY) or {}

    def _count(self, sent: list[int]) -> None:
        count("FramesSent", sum(sent))
        if sum(sent):
            self.table.add(*COUNTER_KEY, sent=sum(sent), broadcasts=1)


def _passed(plan: Plan, sending: Stage) -> Plan:
    if sending.is_silent:
        return plan
    return {
        name: [
            (Placed(placed.place, sending.traced(placed.event)), wish)
            for placed, wish in wanted
        ]
        for name, wanted in plan.items()
    }


def _chunks(messages: Sequence[str]) -> list[list[str]]:
    chunks: list[list[str]] = [[]]
    size = 0
    for text in messages:
        weight = len(dumps(text).encode())
        if chunks[-1] and size + weight > _AGAIN_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(text)
        size += weight
    return chunks
