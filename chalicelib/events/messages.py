"""What travels over SNS and SQS: CloudEvents batches with attributes to filter by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from chalicelib.events.log import Commit
from chalicelib.wire import Placed, encode, join
from eventyard.core.wire import dumps

#: SNS takes 256 KB a call, message attributes included.
MESSAGE_LIMIT: Final = 240_000
_ENTRIES: Final = 10
#: A queue drops a message with any of these, control characters above all.
_REFUSED: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Message:
    """Events of one type, source and priority from one commit, as SNS gets them."""

    places: tuple[str, ...]
    body: str
    attributes: dict[str, Any]

    @property
    def name(self) -> str:
        """Return what tells it apart: the place of its first event."""
        return self.places[0]

    @property
    def size(self) -> int:
        """Return the bytes SNS will count."""
        return len(self.body.encode()) + len(dumps(self.attributes)) + 100


def messages_of(commit: Commit) -> Iterator[Message]:
    """
    Split a commit into messages, the same ones whenever it is done.

    A filter policy looks at a whole message, so the events in one agree in all that
    it can ask for.
    """
    for group, members in groupby(sorted(commit.placed(), key=_group), key=_group):
        for places, body in bodies_of(members):
            yield Message(places, body, _attributes(*group))


def _group(placed: Placed) -> tuple[str, str, int]:
    event = placed.event
    return event.type, event.source or "", event.priority


def bodies_of(events: Iterable[Placed]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Encode events into batches that fit a message, each with its events' places."""
    chunk: dict[str, str] = {}
    size = 0
    for placed in events:
        text = encode(placed)
        weight = len(text.encode()) + 1
        if chunk and size + weight > MESSAGE_LIMIT:
            yield tuple(chunk), join(chunk.values())
            chunk, size = {}, 0
        chunk[placed.place] = text
        size += weight
    if chunk:
        yield tuple(chunk), join(chunk.values())


def _attributes(event_type: str, source: str, priority: int) -> dict[str, Any]:
    attributes = {
        "type": {"DataType": "String", "StringValue": event_type},
        "priority": {"DataType": "Number", "StringValue": str(priority)},
    }
    if source:  # SNS refuses an empty value
        text = _REFUSED.sub("\ufffd", source)
        attributes["source"] = {"DataType": "String", "StringValue": text}
    return attributes


def calls_of(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Gather messages into `PublishBatch` calls within SNS's limits."""
    call: list[Message] = []
    size = 0
    for message in messages:
        if call and (len(call) == _ENTRIES or size + message.size > MESSAGE_LIMIT):
            yield call
            call, size = [], 0
        call.append(message)
        size += message.size
    if call:
        yield call
