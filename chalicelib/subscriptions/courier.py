"""Messages of the delivery queues: what is to be delivered, now or later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.aws import Aws, Item
from chalicelib.wire import Placed, encode, placed_of, sendable
from eventyard.core.wire import dumps

#: Events of this priority and above travel apart, so that no backlog holds them up.
URGENT: Final = 8
#: How many events one message carries: what one function takes on at a time.
PARCEL: Final = 20
_PARCEL_BYTES: Final = 200_000
_CALL_BYTES: Final = 250_000
_ENTRIES: Final = 10
#: SQS keeps a message back for a quarter of an hour at most.
_LONGEST_DELAY_S: Final = 900


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events for one subscription, or the places of such that were tried before."""

    subscription: str
    events: tuple[Placed, ...] = ()
    places: tuple[str, ...] = ()
    #: How often these were tried: who finds another number has it from elsewhere.
    tries: int = 0
    #: The replay that they belong to.
    replay: str | None = None
    urgent: bool = False
    #: Whether their turn under the subscription's rate limit has come.
    reserved: bool = False
    #: How often it came before the row of the attempt that sent it was written.
    early: int = 0
    #: Instead of events: an ordered group that has something to deliver.
    group: str | None = None

    def of(self, places: Iterable[str], **changes: Any) -> Parcel:
        """Return a parcel of some of these by their places."""
        return replace(self, events=(), places=tuple(places), **changes)

    def to_text(self) -> str:
        """Write the message; each event as the CloudEvent that it is."""
        fields = {
            "subscription": self.subscription,
            "places": list(self.places),
            "tries": self.tries,
            "replay": self.replay,
            "urgent": self.urgent,
            "reserved": self.reserved,
            "early": self.early,
            "group": self.group,
        }
        head = dumps({name: value for name, value in fields.items() if value})
        if not self.events:
            return sendable(head)
        return f'{head[:-1]},"events":[{",".join(map(encode, self.events))}]}}'

    @classmethod
    def from_dict(cls, body: Item) -> Parcel:
        """Read a message; raises what comes of one that is none of ours."""
        return cls(
            subscription=str(body["subscription"]),
            events=tuple(placed_of(body.get("events", ()))),
            places=tuple(map(str, body.get("places", ()))),
            tries=int(body.get("tries", 0)),
            replay=body.get("replay"),
            urgent=bool(body.get("urgent")),
            reserved=bool(body.get("reserved")),
            early=int(body.get("early", 0)),
            group=body.get("group"),
        )


#: Puts a message off beyond what the queue can: name, Unix ms, message.
Later = Callable[[str, int, Item], None]


@dataclass(slots=True)
class Courier:
    """Sends parcels on their way: ten to a call, the urgent ones by their own queue."""

    aws: Aws
    queue_url: str
    urgent_url: str
    later: Later
    clock: Callable[[], float] = time.time

    def send(self, parcels: Iterable[Parcel], delay_s: float = 0) -> None:
        """Send parcels, to arrive after a delay in seconds; any delay will do."""
        if delay_s > _LONGEST_DELAY_S:
            for parcel in parcels:
                self._put_off(parcel, delay_s)
            return
        by_queue: dict[bool, list[str]] = {}
        for parcel in parcels:
            by_queue.setdefault(parcel.urgent, []).append(parcel.to_text())
        for urgent, texts in by_queue.items():
            url = self.urgent_url if urgent else self.queue_url
            for call in _calls(texts):
                self._send(url, call, round(delay_s))

    def _put_off(self, parcel: Parcel, delay_s: float) -> None:
        placed = (*(one.place for one in parcel.events), *parcel.places)
        small = parcel.of(placed)
        first = placed[0] if placed else parcel.group
        name = f"{parcel.subscription}~{first}~{parcel.replay or ''}"
        at_ms = int((self.clock() + delay_s) * 1000)
        # It is read back through `from_dict`, so it rests as a message does.
        self.later(name, at_ms, {"parcel": small.to_text()})

    def _send(self, url: str, texts: Sequence[str], delay_s: int) -> None:
        answer = self.aws.sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(index), "MessageBody": text, "DelaySeconds": delay_s}
                for index, text in enumerate(texts)
            ],
        )
        if answer.get("Failed"):
            # Whoever sent them does it all again: receivers know what they had.
            raise ParcelsRefused(str(answer["Failed"][0].get("Message")))


class ParcelsRefused(Exception):  # noqa: N818 - a state of the queue, said as one
    """SQS did not take every message."""


def parcels_of(
    subscription: str, events: Iterable[Placed], **more: Any
) -> Iterator[Parcel]:
    """Divide events into parcels that fit a message, the urgent ones apart."""
    for urgent in (True, False):
        chunk: list[Placed] = []
        size = 0
        for placed in events:
            if (placed.event.priority >= URGENT) is not urgent:
                continue
            weight = len(encode(placed).encode())
            if chunk and (len(chunk) == PARCEL or size + weight > _PARCEL_BYTES):
                yield Parcel(subscription, tuple(chunk), urgent=urgent, **more)
                chunk, size = [], 0
            chunk.append(placed)
            size += weight
        if chunk:
            yield Parcel(subscription, tuple(chunk), urgent=urgent, **more)


def _calls(texts: Sequence[str]) -> Iterator[list[str]]:
    call: list[str] = []
    size = 0
    for text in texts:
        weight = len(text.encode())
        if call and (len(call) == _ENTRIES or size + weight > _CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(text)
        size += weight
    if call:
        yield call
