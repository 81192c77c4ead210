"""A server of real HTTP on loopback: what it answers is for others to say."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit


class Server(ThreadingHTTPServer):
    """Answers at once, many at a time, and says nothing of who hangs up."""

    daemon_threads = True
    request_queue_size = 128

    def get_request(self) -> Any:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def handle_error(self, *_: Any) -> None:
        pass  # a client that hung up is what some tests are about


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    #: The path with the query, as they were sent.
    target: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


def reply(status: int, value: Any, **headers: str) -> Reply:
    """An answer of JSON; `_` in the name of a header stands for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(status, json.dumps(value).encode(), {**kind, **named})


class Loopback:
    """Keeps every request it gets; `answer` says what comes back."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        #: Set at the end: whoever hangs stops hanging.
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = _serve(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def hang(self) -> None:
        """Wait until the test is over."""
        self.released.wait(30)

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _serve(loopback: Loopback) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer

        def _handle(self) -> None:
            told = loopback.answer(_read(self, loopback))
            self.send_response(told.status)
            length = {"Content-Length": str(len(told.body))}
            if "Transfer-Encoding" in told.headers:
                length = {}
            for name, value in {**length, **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - named so by the library

        def log_message(self, *_: Any) -> None:
            pass

    return Server(("127.0.0.1", 0), Handler)


def _read(handler: BaseHTTPRequestHandler, loopback: Loopback) -> Request:
    parts = urlsplit(handler.path)
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    headers = {name.lower(): value for name, value in handler.headers.items()}
    request = Request(
        handler.command,
        parts.path,
        dict(parse_qsl(parts.query)),
        headers,
        body,
        handler.path,
    )
    loopback.note(request)
    return request
