"""Posting to connections: signed HTTP against a server that answers as a gateway does."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chalicelib.aws import Aws
from chalicelib.live.gateway import GatewayError, HttpGateway


class Server(ThreadingHTTPServer):
    """Answers every request with `status` and keeps what it was asked."""

    status = 200
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body, dict(self.headers)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def http_gateway(server):
    made = HttpGateway(Aws())
    yield made
    made._pool.clear()


@pytest.fixture
def endpoint(server):
    return f"http://127.0.0.1:{server.server_port}/stage"


def test_a_frame_is_posted_as_it_is_and_signed(http_gateway, server, endpoint):
    assert http_gateway.post(endpoint, "abc=", '{"ü":1}') is True

    ((method, path, body, headers),) = server.asked
    assert (method, path) == ("POST", "/stage/%40connections/abc%3D")
    assert body.decode() == '{"ü":1}'
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
    assert "/execute-api/aws4_request" in headers["Authorization"]


def test_a_connection_that_is_gone_is_no_error(http_gateway, server, endpoint):
    server.status = 410

    assert http_gateway.post(endpoint, "c", "x") is False
    assert http_gateway.is_open(endpoint, "c") is False
    http_gateway.close(endpoint, "c")


def test_a_connection_that_stands_is_open(http_gateway, server, endpoint):
    assert http_gateway.is_open(endpoint, "c") is True
    assert server.asked[0][0] == "GET"


def test_closing_deletes(http_gateway, server, endpoint):
    http_gateway.close(endpoint, "c")

    assert server.asked[0][:2] == ("DELETE", "/stage/%40connections/c")


@pytest.mark.parametrize("status", [403, 413, 429, 500, 503])
def test_whatever_else_it_answers_may_go_better_later(
    http_gateway, server, endpoint, status
):
    server.status = status

    for act in (
        lambda: http_gateway.post(endpoint, "c", "x"),
        lambda: http_gateway.close(endpoint, "c"),
        lambda: http_gateway.is_open(endpoint, "c"),
    ):
        with pytest.raises(GatewayError, match=str(status)) as refused:
            act()
        assert refused.value.retryable


def test_a_gateway_that_does_not_answer_is_an_error_of_the_gateway(http_gateway):
    with pytest.raises(GatewayError):
        http_gateway.post("http://127.0.0.1:1", "c", "x")


def test_the_endpoint_of_the_settings_comes_before_the_stored_one(server, endpoint):
    overridden = HttpGateway(Aws(), override=endpoint)

    overridden.post("https://nowhere.invalid/api", "c", "x")

    assert server.asked[0][1] == "/stage/%40connections/c"
    overridden._pool.clear()


def test_a_connection_is_kept_between_two_frames(http_gateway, server, endpoint):
    http_gateway.post(endpoint, "a", "1")
    http_gateway.post(endpoint, "b", "2")

    pool = http_gateway._pool.connection_from_url(endpoint)
    assert (pool.num_requests, pool.num_connections) == (2, 1)
