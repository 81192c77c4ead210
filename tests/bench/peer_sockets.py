"""Many WebSocket clients in a process of their own: says when all heard a message."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from asyncio import Protocol, Transport
from collections import Counter
from typing import Any

_HANDSHAKE = (
    b"GET /ws/dashboard HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


class Heard:
    """Counts who heard the first message, the second one, and so on."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.counts: Counter[int] = Counter()

    def one(self, turn: int) -> None:
        """Count one; say the time when it was the last."""
        self.counts[turn] += 1
        if self.counts[turn] == self.number:
            print(turn, time.monotonic(), flush=True)


class Client(Protocol):
    """Reads frames that a server sends, and counts them; turn 0 is the handshake."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._turn = 0
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        """Ask to speak WebSocket."""
        made: Transport = transport
        made.write(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        """Take frames off what came."""
        data = self._rest + data
        if self._turn == 0:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            self._next()
        while (length := _length(data)) is not None and len(data) >= length:
            data = data[length:]
            self._next()
        self._rest = data

    def _next(self) -> None:
        self._heard.one(self._turn)
        self._turn += 1


def _length(data: bytes) -> int | None:
    """Return how long the first frame is, if that is known yet."""
    if len(data) < 4:
        return None
    short = data[1] & 0x7F
    return 4 + int.from_bytes(data[2:4]) if short == 126 else 2 + short


async def _main(port: int, number: int) -> None:
    loop, heard = asyncio.get_running_loop(), Heard(number)
    for _ in range(number):
        await loop.create_connection(lambda: Client(heard), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
