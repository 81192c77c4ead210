"""What goes over the wire to a connection, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.live import jobs
from chalicelib.live.store import Connection
from chalicelib.wire import Placed, join
from eventyard.core.event import Event
from eventyard.core.wire import dumps

#: API Gateway cuts messages into frames of 32 KB; a shared frame stays one.
SHARED_LIMIT: Final = 32_000
#: API Gateway takes 128 KB a message: above this the payload is left to be fetched.
SINGLE_LIMIT: Final = 120_000
_CHARACTER_BYTES: Final = 4


def now() -> str:
    """Return the time as pages and clients read it."""
    return moment(datetime.now(UTC).timestamp())


def moment(seconds: float) -> str:
    """Write Unix seconds as pages and clients read them."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def hello(connection: Connection, resumed: dict[str, Any]) -> str:
    """
    Greet a new connection, with the cursor to resume from.

    `resumed` holds `recovered` when it came back with a cursor: what was missed is
    still to be sent then, so until it is the old cursor holds.
    """
    cursor = connection.cursor if resumed.get("recovered") else connection.since
    if connection.channel == "router":
        return dumps(
            {
                "type": "welcome",
                "client_id": connection.client_id,
                "server_time": now(),
                "cursor": cursor,
                **resumed,
            }
        )
    if connection.channel == jobs.CHANNEL:
        told = {"client_id": connection.client_id, "cursor": cursor, **resumed}
        return dumps({"event": "hello", "data": told})
    data = {
        "client_id": connection.client_id,
        "message": "Connected to Eventyard",
        "cursor": cursor,
        **resumed,
    }
    return dumps({"type": "connection.established", "data": data, "timestamp": now()})


def error(text: str, **more: Any) -> str:
    """Tell a connection what was wrong with its message."""
    return dumps({"type": "error", "error": text, "timestamp": now(), **more})


class Renderer:
    """
    Writes events as their channels show them, each once for all connections.

    `read` is what the cursor says of events that were read from the log.
    """

    def __init__(self, read: str = "") -> None:
        self._read = read
        self._texts: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def frames(
        self, connection: Connection, placed: Placed, subscription_id: str
    ) -> tuple[str, ...]:
        """Write one event for one subscription of a connection."""
        cursor = connection.behind(subscription_id) or placed.place + self._read
        if connection.channel != "router":
            return self._write(connection.channel, cursor, placed)
        (text,) = self._write(connection.channel, "", placed)
        head = f'{{"type":"event","subscription_id":{dumps(subscription_id)}'
        return (f'{head},"cursor":"{cursor}","event":{text}}}',)

    def _write(self, channel: str, cursor: str, placed: Placed) -> tuple[str, ...]:
        key = (channel, cursor, placed.place)
        if key not in self._texts:
            self._texts[key] = _texts(channel, cursor, placed.event)
        return self._texts[key]


def _texts(channel: str, cursor: str, event: Event) -> tuple[str, ...]:
    if channel == jobs.CHANNEL:
        return jobs.messages(cursor, event)
    return (_write(channel, cursor, event),)


def _write(channel: str, cursor: str, event: Event) -> str:
    if event.payload is None and event.dataref is not None:
        # Its payload rests in S3, where the connection cannot go.
        return _shape(channel, cursor, _pointed(event))
    text = _shape(channel, cursor, event)
    return text if _fits(text) else _shape(channel, cursor, _pointed(event))


def _shape(channel: str, cursor: str, event: Event) -> str:
    if channel == "router":
        return dumps(event.to_dict())
    return dumps(_dashboard_message(cursor, event))


def _dashboard_message(cursor: str, event: Event) -> dict[str, Any]:
    fields = event.to_dict()
    message = {
        "type": event.type,
        "data": fields.get("payload"),
        "source_agent_id": event.source_agent_id,
        "circle_id": event.circle_id,
        "project_id": event.project_id,
        "event_id": event.id,
        "timestamp": fields["timestamp"],
        "cursor": cursor,
    }
    rest = {n: v for n, v in fields.items() if n not in ("id", "payload", *message)}
    return {**message, **rest}


def _fits(text: str) -> bool:
    return len(text) * _CHARACTER_BYTES <= SINGLE_LIMIT or (
        len(text.encode()) <= SINGLE_LIMIT
    )


def _pointed(event: Event) -> Event:
    return event.copy(payload=None, dataref=f"api/v1/events/{event.id}")


def pack(frames: Iterable[str], *, shared: bool) -> Iterator[str]:
    """Make messages: one for each frame, or arrays of frames where they may share."""
    if not shared:
        yield from frames
        return
    batch: list[str] = []
    size = 0
    for text in frames:
        weight = len(text.encode()) + 1
        if batch and size + weight > SHARED_LIMIT:
            yield join(batch)
            batch, size = [], 0
        batch.append(text)
        size += weight
    if batch:
        yield join(batch)
