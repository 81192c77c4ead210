"""A graph API on loopback that takes what is pushed, or does as a test tells it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class GraphApi:
    """Keeps every request; `answers` are given first, one each: (status, headers)."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.latest = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                api._answer(self)

            do_PUT = do_POST  # noqa: N815 - the name that the server asks for

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def graphs(self):
        """The bodies of the graphs that were pushed, in order."""
        posts = [body for _, path, _, body in self.requests if path == "/api/graph"]
        return [json.loads(body) for body in posts]

    def _answer(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path, headers, body))
        if self.answers:
            status, extra = self.answers.pop(0)
            if status is None:  # hang up
                handler.close_connection = True
                return
            self._send(handler, status, {"error": f"told {status}"}, extra)
        else:
            self._send(handler, 201, self._taken(handler.path, body), {})

    def _taken(self, path, body):
        if path == "/api/graph/uploads":
            return {
                "upload": "uploads/1.json",
                "method": "PUT",
                "url": f"{self.url}/bucket/1",
                "headers": {"Content-Type": "application/json", "x-signed": "yes"},
            }
        graph = json.loads(body)
        kind = graph.get("graph_type")
        unchanged = self.latest.get(kind) == graph
        self.latest[kind] = graph
        return {"status": "success", "graph_type": kind, "unchanged": unchanged}

    def _send(self, handler, status, value, headers):
        data = json.dumps(value).encode()
        handler.send_response(status)
        for name, text in {"Content-Length": str(len(data)), **headers}.items():
            handler.send_header(name, text)
        handler.end_headers()
        handler.wfile.write(data)
