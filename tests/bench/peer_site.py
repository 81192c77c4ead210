"""A site that answers as fast as one core can: what crawlers are measured against."""

from __future__ import annotations

import asyncio

from tests.site import PAGES, ROBOTS, body


def _answers() -> dict[bytes, bytes]:
    pages = {f"/p/{n}".encode(): _html(body(n)) for n in range(PAGES)}
    rules = _answer(b"200 OK", b"text/plain", ROBOTS.encode())
    return {b"/": _html(body(0)), b"/robots.txt": rules, **pages}


def _html(text: bytes) -> bytes:
    return _answer(b"200 OK", b"text/html; charset=utf-8", text)


def _answer(status: bytes, kind: bytes, text: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (status, kind, len(text)) + text


class _Site(asyncio.Protocol):
    known = _answers()
    missing = _answer(b"404 Not Found", b"text/html", b"nothing")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._held = b""

    def data_received(self, data: bytes) -> None:
        *whole, self._held = (self._held + data).split(b"\r\n\r\n")
        for request in whole:
            path = request.split(b" ", 2)[1]
            self._transport.write(self.known.get(path, self.missing))  # type: ignore[attr-defined]


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(_Site, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
