"""A proxy on loopback that cuts connections as a network does: nobody says goodbye."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Cutter:
    """Hands bytes on to a port, both ways, until it cuts."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.cuts = 0
        self.refusing = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    @property
    def is_used(self) -> bool:
        """Tell whether there is anything to cut."""
        return bool(self._open)

    def cut(self) -> int:
        """Cut all that is open; return how many that were."""
        cut = [*self._open]
        for writer in cut:
            writer.transport.abort()
        self._open.clear()
        self.cuts += 1
        return len(cut)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        ahead, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, back}
        try:
            await asyncio.gather(_pump(reader, back), _pump(ahead, writer))
        finally:
            self._open -= {writer, back}
            for one in (writer, back):
                one.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
