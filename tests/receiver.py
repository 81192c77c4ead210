"""A webhook receiver on loopback that does what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple, Self

from standardwebhooks.webhooks import Webhook

from tests.loopback import Server


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    def verify(self, secret: str) -> None:
        """Raise unless the signature is right, as a receiver would check it."""
        Webhook(secret).verify(self.body, self.headers)


#: Status and headers of the answer to the n-th request.
Reaction = Callable[[int, Received], tuple[int, dict[str, str]]]


class Receiver:
    """Keeps every request; answers 204 unless `reaction` says otherwise."""

    def __init__(self, reaction: Reaction | None = None) -> None:
        self.received: list[Received] = []
        self.reaction = reaction or (lambda _, __: (204, {}))
        self._lock = threading.Lock()
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        one = Received(handler.path, headers, body)
        with self._lock:
            self.received.append(one)
            number = len(self.received)
        status, answered = self.reaction(number, one)
        handler.send_response(status)
        for name, value in {"Content-Length": "0", **answered}.items():
            handler.send_header(name, value)
        handler.end_headers()

    def ids(self) -> list[str]:
        """The ids of the events, in the order of their arrival."""
        bodies = [one.event for one in self.received]
        return [
            event["id"]
            for body in bodies
            for event in (body if isinstance(body, list) else [body])
        ]

    def hang(self, _: int, __: Received) -> tuple[int, dict[str, str]]:
        """A reaction: no answer until the test is over."""
        self.released.wait(30)
        return 204, {}
