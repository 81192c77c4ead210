"""How events travel between functions: CloudEvents batches that tell their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.wire import dumps, from_cloudevent, loads, to_cloudevent

#: The versions of HTTP and WebSocket messages that are spoken here.
LOWEST: Final = 1
HIGHEST: Final = 1
#: How a call says which one it speaks; who says none speaks the lowest.
VERSION_HEADER: Final = "eventyard-version"

#: The CloudEvents extension for an event's place in the log, a ULID.
SEQUENCE: Final = "sequence"


#: What reading a batch raises when it is none of ours.
UNREADABLE: Final = (
    EventRouterError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)


def check_version(said: str | None) -> None:
    """Raise InvalidRequestError unless a caller's version is spoken here."""
    if said is None or said in map(str, range(LOWEST, HIGHEST + 1)):
        return
    raise InvalidRequestError(
        f"The versions {LOWEST} to {HIGHEST} are spoken here, not {said!r:.20}: update "
        "the package `eventyard`, or the platform, whichever is older.",
        code="unsupported_version",
        details={"lowest": LOWEST, "highest": HIGHEST},
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place in the log."""

    place: str
    event: Event


class Through(Protocol):
    """A stage of the way of events; it may change what they say of their trace."""

    @property
    def is_silent(self) -> bool:
        """Tell whether it changes nothing."""
        ...

    def traced(self, event: Event) -> Event:
        """Return an event as it leaves."""
        ...


def passed_through(stage: Through, events: Sequence[Placed]) -> Sequence[Placed]:
    """Return events as they leave a stage."""
    if stage.is_silent:
        return events
    return [Placed(one.place, stage.traced(one.event)) for one in events]


def progress(row: Mapping[str, Any]) -> float:
    """
    Return how much of its stretch of the log some work has behind it, below 1.

    `row` has the places `after`, `position` and `until`.
    """
    begun, reached, end = (
        ulid.timestamp_ms(row[name]) for name in ("after", "position", "until")
    )
    share = (reached - begun) / (end - begun) if end > begun else 0.0
    return round(min(share, 0.99), 3)


def cloud(placed: Placed) -> dict[str, Any]:
    """Return one event as a structured CloudEvent."""
    return {**to_cloudevent(placed.event), SEQUENCE: placed.place}


def encode(placed: Placed) -> str:
    """Write one event as structured CloudEvents JSON."""
    return sendable(dumps(cloud(placed)))


def join(encoded: Iterable[str]) -> str:
    """Make one JSON array of texts that are JSON already."""
    return "[" + ",".join(encoded) + "]"


def decode_batch(text: str) -> list[Placed]:
    """
    Read a CloudEvents JSON batch.

    Raises InvalidRequestError, ValidationError, KeyError or TypeError for what is
    no batch of ours.
    """
    return placed_of(loads(text))


def placed_of(members: Iterable[dict[str, Any]]) -> list[Placed]:
    """Read CloudEvents of ours; raises as `decode_batch` does."""
    return [_placed(member) for member in members]


def sendable(text: str) -> str:
    """Escape in JSON the two characters of a string that queues refuse."""
    if text.isascii():
        return text
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _placed(member: dict[str, Any]) -> Placed:
    fields = dict(member)
    place = fields.pop(SEQUENCE)
    return Placed(place, from_cloudevent(fields))
