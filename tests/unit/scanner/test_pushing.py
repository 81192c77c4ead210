from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from eventyard.core.errors import ConnectionError as NobodyError
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.graph.model import FlowModel
from eventyard.scanner import EventFlowScanner
from eventyard.scanner._pushing import LARGEST, Pusher
from tests.unit.scanner.platform import GraphApi

_TYPES = ["simplified", "complete", "full-tree"]


@pytest.fixture
def api():
    with GraphApi() as made:
        yield made


@pytest.fixture
def code(write):
    return write(shop="bus.publish('a.b')\n", mail="bus.subscribe('a.b', print)\n")


class Pauses(list):
    """Stands for `sleep`: notes the seconds and returns at once."""

    def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def scanner(api, code):
    def make(**options):
        heard = []
        made = EventFlowScanner(
            code, api_url=f"{api.url}/", tell=heard.append, sleep=Pauses(), **options
        )
        made.heard = heard
        return made

    return make


def test_each_type_is_pushed_with_its_model_in_the_seeds_order(api, scanner):
    results = scanner(project="shop", ref="next").scan_once()

    assert results == dict.fromkeys(_TYPES, True)
    assert list(results) == [graph["graph_type"] for graph in api.graphs] == _TYPES
    for graph in api.graphs:
        model = FlowModel.from_dict(graph["model"])
        assert [agent.id for agent in model.agents] == ["mail", "shop"]
        assert graph["dot_content"].startswith("digraph")
        assert graph["stats"] == {"events": 1, "agents": 2, "connections": 2}
        assert graph["namespaces"] == ["unknown"]
        assert graph["anomalies"]["summary"]["total_anomalies"] == 0
        assert (graph["project"], graph["ref"]) == ("shop", "next")
        assert "commit" not in graph


def test_the_commit_is_told_where_there_is_a_repository(api, scanner, code):
    (code / ".git").mkdir()
    (code / ".git" / "HEAD").write_text("ref: refs/heads/topic\n")
    (code / ".git" / "packed-refs").write_text(f"{'a' * 40} refs/heads/topic\n")

    scanner().scan_once()

    assert {graph["commit"] for graph in api.graphs} == {"a" * 40}


def test_the_key_of_the_environment_is_shown(api, scanner, monkeypatch):
    monkeypatch.setenv("EVENTYARD_API_KEY", "ey_secret")

    scanner().scan_once()

    assert {headers["authorization"] for _, _, headers, _ in api.requests} == {
        "Bearer ey_secret"
    }


def test_a_second_scan_pushes_nothing_until_the_code_changes(api, scanner, code):
    one = scanner(interval=1)

    one.scan_once()
    again = one.scan_once()
    silent = len(api.graphs)
    (code / "shop.py").write_text("bus.publish('a.b')\nbus.publish('c.d')\n")
    one.scan_once()

    assert (silent, len(api.graphs)) == (3, 6)
    assert again == dict.fromkeys(_TYPES, True)


def test_what_the_platform_had_already_is_told_as_unchanged(api, scanner):
    scanner().scan_once()
    second = scanner()
    second.scan_once()

    assert second.unchanged == set(_TYPES)


def test_what_failed_is_pushed_by_the_next_scan(api, scanner):
    one = scanner()
    api.answers = [(403, {})]

    first, second = one.scan_once(), one.scan_once()

    assert first == {"simplified": False, "complete": True, "full-tree": True}
    assert all(second.values())
    assert [graph["graph_type"] for graph in api.graphs] == [*_TYPES, "simplified"]
    assert "403" in one.heard[0]
    assert "told 403" in one.heard[0]


@pytest.mark.parametrize("status", [500, 502, 503, 429, None])
def test_what_may_pass_is_tried_again(api, status):
    api.answers = [(status, {})] * 3
    pauses = Pauses()

    Pusher(api.url, sleep=pauses).push({"graph_type": "complete"})

    assert len(api.requests) == 4
    assert len(pauses) == 3
    assert all(0 <= one <= most for one, most in zip(pauses, (0.5, 1, 2), strict=True))


def test_it_gives_up_after_four_tries(api):
    api.answers = [(500, {})] * 9

    with pytest.raises(EventRouterError, match="500"):
        Pusher(api.url, sleep=Pauses()).push({})

    assert len(api.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_what_is_refused_is_not_tried_again(api, status):
    api.answers = [(status, {})]

    with pytest.raises(EventRouterError, match=f"told {status}"):
        Pusher(api.url, sleep=Pauses()).push({})

    assert len(api.requests) == 1


def test_a_key_does_not_follow_to_another_address(api):
    with GraphApi() as other:
        api.answers = [(302, {"Location": f"{other.url}/api/graph"})]

        with pytest.raises(EventRouterError, match="302"):
            Pusher(api.url, "ey_secret", sleep=Pauses()).push({})

        assert other.requests == []


def test_a_server_says_how_long_to_wait(api):
    api.answers = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "86400"})]
    pauses = Pauses()

    Pusher(api.url, sleep=pauses).push({})

    assert pauses == [7, 60]


def test_nobody_there_is_told_after_four_tries():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    pauses = Pauses()

    with pytest.raises(NobodyError, match="Nothing answers"):
        Pusher(url, sleep=pauses).push({})

    assert len(pauses) == 3


def test_a_server_that_says_nothing_is_left():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(NobodyError):
            Pusher(url, timeout=0.05, attempts=2, sleep=Pauses()).push({})


def test_more_than_a_request_may_hold_goes_by_way_of_the_bucket(api):
    graph = {"graph_type": "complete", "dot_content": "x" * LARGEST}

    Pusher(api.url, "ey_key", sleep=Pauses()).push(graph)

    start, put, push = api.requests
    assert json.loads(start[3]) == {"size": len(put[3])}
    assert put[:2] == ("PUT", "/bucket/1")
    assert put[2]["x-signed"] == "yes"
    assert "authorization" not in put[2]
    assert json.loads(put[3]) == graph
    assert json.loads(push[3]) == {"upload": "uploads/1.json"}


@pytest.mark.parametrize("url", ["localhost:5555", "file:///etc/passwd", ""])
def test_only_addresses_of_http_are_taken(url):
    with pytest.raises(InvalidRequestError, match="http"):
        Pusher(url)


def test_continuous_needs_an_interval(scanner):
    with pytest.raises(ValueError, match="interval"):
        scanner().run_continuous()
    with pytest.raises(ValueError, match="interval"):
        scanner(interval=0).run_continuous()


def test_continuous_survives_what_goes_wrong_and_ends_with_ctrl_c(api, code):
    heard, turns = [], []

    def sleep(seconds):
        turns.append(seconds)
        if len(turns) == 1:
            Path(code / "shop.py").write_text("bus.publish('new')\n")
            one.analyzer.analyze, kept[0] = broken, one.analyzer.analyze
        elif len(turns) == 2:
            one.analyzer.analyze = kept[0]
        else:
            raise KeyboardInterrupt

    def broken():
        raise RuntimeError("the disk is gone")

    kept = [None]
    one = EventFlowScanner(
        code, api_url=api.url, interval=9, tell=heard.append, sleep=sleep
    )

    one.run_continuous()

    assert turns == [9, 9, 9]
    assert len(api.graphs) == 6
    assert "the disk is gone" in heard[1]
    assert heard[0] == heard[2] == "3/3 graphs are up to date"


@pytest.mark.parametrize("folders", [("missing",), (".", "missing"), ("",)])
def test_a_missing_folder_is_a_value_error(code, folders):
    with pytest.raises(ValueError, match="not a folder"):
        EventFlowScanner(*(code / name if name else name for name in folders))
