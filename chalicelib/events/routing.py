"""From the routing queue to whoever wants the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol

from chalicelib.aws import Item
from chalicelib.events.marks import Key, Marks, key_of
from chalicelib.events.queues import DeadLetters
from chalicelib.table import Table
from chalicelib.telemetry import CONSUMER, count, log_error, stage
from chalicelib.wire import UNREADABLE, Placed, decode_batch, passed_through

_QUEUE: Final = "routing"


@dataclass(frozen=True, slots=True)
class _Read:
    """A queue message that could be decoded, named by its first event's place."""

    message_id: str
    name: str
    events: tuple[Placed, ...]


#: Takes events and what the one read of the batch found; tells whether whoever wanted
#: them took them all there and then.
Offer = Callable[[Sequence[Placed], dict[Key, Item]], bool]


class Tally(Protocol):
    """Counts what flows; never raises."""

    def published(self, events: Iterable[Placed]) -> None:
        """Count events by who published them."""
        ...

    def flush(self) -> None:
        """Write down what was counted."""
        ...


@dataclass(slots=True)
class Router:
    """
    Hands each message to subscriptions and live connections, once in effect.

    One read a batch brings both the marks of what was routed before and the version
    of subscriptions and connections; the marks are written after the work, so a crash between
    repeats it rather than losing it.
    """

    table: Table
    marks: Marks
    dead: DeadLetters
    #: Sends parcels to whoever subscribed; doing it again is harmless.
    dispatch: Callable[[Sequence[Placed], dict[Key, Item]], None]
    offer: Offer
    version_keys: tuple[Key, ...]
    #: Returns the items that are written beside the marks, as effects of other events.
    index: Callable[[Iterable[Placed]], Iterable[Item]]
    tally: Tally

    def route(self, event: Item) -> Item:
        """Route a batch of the queue; returns Lambda's partial batch response."""
        reads = [read for record in event["Records"] if (read := self._read(record))]
        keys = [*self.version_keys, *(key_of(read.name) for read in reads)]
        found = self.table.get_many(keys)
        fresh = {r.name: r for r in reads if key_of(r.name) not in found}
        started = self.marks.clock()
        try:
            events = _in_order(fresh.values())
            with stage("route", CONSUMER, (one.event for one in events)) as routing:
                passed = passed_through(routing, events)
                # First what may be done twice, then what a second time would be seen.
                self.dispatch(passed, found)
                clean = self.offer(passed, found)
        except Exception as error:  # noqa: BLE001 - the batch comes again, whatever it was
            log_error("a batch was not routed", error, messages=len(fresh))
            return _failed([read.message_id for read in fresh.values()])
        self.marks.write(fresh, started, self.index(events), clean=clean)
        self.tally.published(events)
        self.tally.flush()
        count("EventsRouted", len(events))
        return _failed([])

    def _read(self, record: Item) -> _Read | None:
        try:
            events = tuple(decode_batch(record["body"]))
            return _Read(record["messageId"], events[0].place, events)
        except UNREADABLE as e:
            # It would fail the same way every time: aside with it, the others go on.
            log_error("a message cannot be read", e, message_id=record["messageId"])
            self.dead.bury(_QUEUE, record["body"], f"{type(e).__name__}: {e}")
            return None


def _in_order(reads: Iterable[_Read]) -> list[Placed]:
    # A commit travels in several messages, one for each kind of event in it.
    events = (placed for read in reads for placed in read.events)
    return sorted(events, key=attrgetter("place"))


def _failed(message_ids: list[str]) -> Item:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in message_ids]}
