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

    name: str
    body: str
    attributes: dict[str, Any]

    @property
    def size(self) -> int:
        """Return the bytes SNS will count."""
        return len(self.body.encode()) + len(dumps(self.attributes)) + 100


def messages_of(commit: Commit) -> Iterator[Message]:
    """
    Split a commit into messages, the same ones whenever it is done.

    A filter policy looks at a whole message, so the events in one agree in all that
    it can ask for. The name is the place of a message's first event.
    """
    for group, members in groupby(sorted(commit.placed(), key=_group), key=_group):
        for name, body in bodies_of(members):
            yield Message(name, body, _attributes(*group))


def _group(placed: Placed) -> tuple[str, str, int]:
    event = placed.event
    return event.type, event.source or "", event.priority


def bodies_of(events: Iterable[Placed]) -> Iterator[tuple[str, str]]:
    """Encode events into batches that fit a message, each named by its first place."""
    name, size = "", 0
    chunk: list[str] = []
    for placed in events:
        text = encode(placed)
        weight = len(text.encode()) + 1
        if chunk and size + weight > MESSAGE_LIMIT:
            yield name, join(chunk)
            chunk, size = [], 0
        name = name if chunk else placed.place
        chunk.append(text)
        size += weight
    if chunk:
        yield name, join(chunk)


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
