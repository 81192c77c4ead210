"""How events travel between functions: CloudEvents batches that tell their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.core.wire import dumps, from_cloudevent, loads, to_cloudevent

#: The CloudEvents extension for an event's place in the log, a ULID.
SEQUENCE: Final = "sequence"


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place in the log."""

    place: str
    event: Event


def encode(placed: Placed) -> str:
    """Write one event as structured CloudEvents JSON."""
    return dumps({**to_cloudevent(placed.event), SEQUENCE: placed.place})


def encode_batch(events: Iterable[Placed]) -> str:
    """Write events as a CloudEvents JSON batch."""
    return join(map(encode, events))


def join(encoded: Iterable[str]) -> str:
    """Make one JSON array of texts that are JSON already."""
    return "[" + ",".join(encoded) + "]"


def decode_batch(text: str) -> list[Placed]:
    """
    Read a CloudEvents JSON batch.

    Raises InvalidRequestError, ValidationError, KeyError or TypeError for what is
    no batch of ours.
    """
    return [_placed(member) for member in loads(text)]


def _placed(member: dict[str, Any]) -> Placed:
    fields = dict(member)
    place = fields.pop(SEQUENCE)
    return Placed(place, from_cloudevent(fields))
