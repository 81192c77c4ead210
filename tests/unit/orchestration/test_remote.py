"""A store on a server: what it sends, and what becomes of what goes wrong."""

from __future__ import annotations

import pytest

from eventyard.core import errors
from eventyard.orchestration import CircleStore
from eventyard.orchestration._http import Server
from tests.loopback import Loopback, Reply, reply


class Answering(Loopback):
    """Answers in turn; the last one again and again."""

    def __init__(self, *answers: Reply) -> None:
        super().__init__()
        self.answers = list(answers)

    def answer(self, request):
        if len(self.answers) > 1:
            return self.answers.pop(0)
        return self.answers[0]


def store_at(served, monkeypatch, key=None):
    monkeypatch.setattr("time.sleep", lambda _: None)
    return CircleStore.connect(served.origin + "/", key)


BUSY = reply(503, {"error": {"code": "busy", "message": "Later.", "details": {}}})
MADE = reply(201, {"id": 5})


def waits(origin):
    slept: list[float] = []
    return Server(origin, "k", slept.append), slept


def test_a_creation_is_tried_again_with_the_same_key():
    with Answering(BUSY, reply(500, {}), MADE) as served:
        server, slept = waits(served.origin)
        assert server.create("/api/v1/circles", {"name": "a"}) == {"id": 5}
    keys = {one.headers["idempotency-key"] for one in served.requests}
    assert (len(served.requests), len(keys), len(slept)) == (3, 1, 2)
    assert {one.headers["authorization"] for one in served.requests} == {"Bearer k"}


def test_what_may_have_been_done_is_not_done_again():
    with Answering(reply(500, {}), MADE) as served:
        server, _ = waits(served.origin)
        with pytest.raises(errors.EventRouterError, match="500"):
            server.ask("PATCH", "/api/v1/tasks/1", {"status": "completed"})
        assert len(served.requests) == 1
    with Answering(BUSY, MADE) as served:
        server, _ = waits(served.origin)
        assert server.ask("PATCH", "/x", {}) == {"id": 5}, "it said that it did nothing"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.PayloadTooLargeError),
        (418, errors.EventRouterError),
    ],
)
def test_an_error_is_what_the_server_says(status, kind):
    fault = {"code": "odd", "message": "It is odd.", "details": {"x": 1}}
    with Answering(reply(status, {"error": fault})) as served:
        server, _ = waits(served.origin)
        with pytest.raises(kind, match=r"It is odd\.") as caught:
            server.ask("GET", "/x")
    assert (caught.value.code, caught.value.details) == ("odd", {"x": 1})


@pytest.mark.parametrize(
    "answer",
    [
        Reply(502, b"<html>bad gateway</html>"),
        Reply(404, b"[]"),
        reply(500, {"error": "text"}),
        reply(200, [1]),
    ],
)
def test_an_answer_that_is_none_is_an_error_all_the_same(answer):
    with Answering(answer) as served:
        server, _ = waits(served.origin)
        with pytest.raises(errors.EventRouterError, match="answered"):
            server.ask("GET", "/x")


def test_a_key_is_shown_to_nobody_whom_the_server_points_at():
    with Answering(reply(200, {})) as other:
        moved = Reply(302, b"", {"Location": other.origin + "/x"})
        with Answering(moved) as served:
            server, _ = waits(served.origin)
            with pytest.raises(errors.EventRouterError, match="302"):
                server.ask("GET", "/x")
        assert other.requests == []


def test_nobody_there_is_told_with_the_address():
    server, slept = waits("http://127.0.0.1:1")
    with pytest.raises(errors.ConnectionError, match=r"127\.0\.0\.1:1"):
        server.ask("GET", "/x")
    assert len(slept) == 3
    with pytest.raises(errors.ConnectionError):
        server.ask("POST", "/x", {})
    assert len(slept) == 3


def test_an_address_is_http():
    with pytest.raises(errors.InvalidRequestError, match="http"):
        CircleStore.connect("ftp://example.com")


def test_the_environment_says_where_and_who(monkeypatch):
    with Answering(reply(200, {"id": 1})) as served:
        monkeypatch.setenv("EVENTYARD_URL", served.origin)
        monkeypatch.setenv("EVENTYARD_API_KEY", "ey_k")
        assert CircleStore.connect().get_circle(1) == {"id": 1}
    (asked,) = served.requests
    assert asked.headers["authorization"] == "Bearer ey_k"
    assert asked.path == "/api/v1/circles/1"
    assert "ey_k" not in repr(CircleStore.connect()._backend._server)
