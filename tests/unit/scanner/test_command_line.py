"""`eventyard scan` and `python -m eventyard.scanner`, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import eventyard
from tests.unit.scanner.platform import GraphApi

_ROOT = Path(eventyard.__file__).parent.parent
_SCAN = [sys.executable, "-c", "from eventyard.cli import main; main()", "scan"]
_ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("EVENTYARD_")}
_MODULE = [sys.executable, "-m", "eventyard.scanner"]


@pytest.fixture
def api():
    with GraphApi() as made:
        yield made


@pytest.fixture
def code(write):
    return write(
        shop="bus.subscribe('order.asked', print)\nbus.publish('order.placed')\n",
        mail="bus.subscribe('order.placed', print)\n",
    )


def start(command, *words, folder=None):
    return subprocess.Popen(
        [*command, *map(str, words)],
        cwd=folder,
        env={**_ENVIRONMENT, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(command, *words, folder=None, status=0):
    process = start(command, *words, folder=folder)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, out + err
    return out, err


def test_the_seeds_flags_push_once(api, code):
    out, _ = run(
        _MODULE,
        *("--agents-dir", code, "--events-dir", code, "--api-url", api.url),
        *("--interval", "60", "--one-shot"),
    )

    assert out == "simplified: pushed\ncomplete: pushed\nfull-tree: pushed\n"
    assert len(api.graphs) == 3


def test_an_interval_of_nothing_is_one_scan(api, code):
    run(_MODULE, "--agents-dir", code, "--api-url", api.url, "--interval", "0")

    assert len(api.graphs) == 3


def test_a_push_that_fails_ends_with_one_and_is_told(api, code):
    api.answers = [(201, {}), (400, {})]

    out, err = run(_MODULE, "--agents-dir", code, "--api-url", api.url, status=1)

    assert "complete: failed" in out
    assert "told 400" in err


@pytest.mark.parametrize("words", [("--agents-dir", "missing"), ()])
def test_a_folder_that_is_not_there_ends_with_one(tmp_path, words):
    out, err = run(_MODULE, *words, folder=tmp_path, status=1)

    assert out == ""
    assert "agents" in err


def test_ctrl_c_ends_the_continuous_mode_with_130(api, code):
    process = start(
        _MODULE, "--agents-dir", code, "--api-url", api.url, "--interval", "60"
    )
    with process:
        assert process.stderr.readline() == "3/3 graphs are up to date\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == ""


def test_the_configuration_says_what_the_flags_do_not(api, code):
    (code / "event_flow_config.yaml").write_text(
        f"agents_dir: .\napi_url: {api.url}\nproject: shop\nref: next\n"
    )

    run(_MODULE, "--ref", "other", folder=code)

    assert {(graph["project"], graph["ref"]) for graph in api.graphs} == {
        ("shop", "other")
    }


def test_a_scan_is_printed_and_nothing_is_pushed(code):
    out, err = run(_SCAN, folder=code)

    assert "shop (unknown)\n  Listens to: order.asked\n" in out
    assert err.startswith("2 files read in ")


def test_json_dot_mermaid_and_asyncapi(code, tmp_path):
    shape = json.loads(run(_SCAN, code, "--json", "--project", "p")[0])
    dot, _ = run(_SCAN, code, "--format", "dot", "--type", "simplified")
    file = tmp_path / "flow.mmd"
    run(_SCAN, code, "--format", "mermaid", "-o", file)
    channels = json.loads(run(_SCAN, code, "--format", "asyncapi")[0])

    assert shape["project"] == "p"
    assert shape["stats"] == {"events": 2, "agents": 2, "connections": 3}
    assert [agent["id"] for agent in shape["model"]["agents"]] == ["mail", "shop"]
    assert dot.startswith("digraph")
    assert "START" in dot
    assert "order.placed" in file.read_text()
    assert channels["asyncapi"].startswith("3.")


def test_check_ends_with_one_if_something_is_wrong(code):
    run(_SCAN, code, "--check")

    (code / "bad.py").write_text("bus.publish('never.heard'\n")
    _, syntax = run(_SCAN, code, "--check", status=1)
    (code / "bad.py").write_text("bus.publish('never.heard')\n")
    _, orphan = run(_SCAN, code, "--check", status=1)
    (code / "bad.py").write_text("bus.publish(unknown)\n")
    run(_SCAN, code, "--check")

    assert "bad.py:1: syntax" in syntax
    assert "never.heard" in orphan


def test_what_changed_since_a_scan_is_told(code, tmp_path):
    base = tmp_path / "base.json"
    run(_SCAN, code, "--json", "-o", base)
    same, _ = run(_SCAN, code, "--diff", base, "--check")
    (code / "mail.py").write_text("bus.subscribe('order.asked', print)\n")

    out, err = run(_SCAN, code, "--diff", base, "--check", status=1)
    shape = json.loads(run(_SCAN, code, "--diff", base, "--json")[0])

    assert same == "nothing changed\n"
    assert out == ("+ mail subscribes order.asked\n- mail subscribes order.placed\n")
    assert "removed: 1 edges" in err
    assert shape["removed"]["edges"][0]["event"] == "order.placed"


@pytest.mark.parametrize("text", ["{", "[]", '{"model": {"events": 3}}'])
def test_a_base_that_is_no_scan_is_refused(code, tmp_path, text):
    base = tmp_path / "base.json"
    base.write_text(text)

    _, err = run(_SCAN, code, "--diff", base, status=1)

    assert "invalid_request" in err


def test_push_and_its_failure(api, code):
    _, err = run(_SCAN, code, "--push", "--api-url", api.url, "--ref", "next")
    api.answers = [(401, {})]
    _, failed = run(_SCAN, code, "--push", "--api-url", api.url, status=1)

    assert "full-tree: pushed" in err
    assert {graph["ref"] for graph in api.graphs[:3]} == {"next"}
    assert "simplified: failed" in failed


def test_head_is_the_branch_that_is_checked_out(api, code):
    (code / ".git").mkdir()
    (code / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    run(_SCAN, code, "--push", "--api-url", api.url, "--ref", "HEAD")
    (code / ".git" / "HEAD").write_text("f" * 40)
    _, err = run(_SCAN, code, "--ref", "HEAD", status=1)

    assert {graph["ref"] for graph in api.graphs} == {"feature/x"}
    assert "--ref" in err


def line_with(stream, word):
    """Return the next line that has a word; whoever says nothing more has failed."""
    while line := stream.readline():
        if word in line:
            return line
    raise AssertionError(f"it ended without saying {word!r}")


def test_watching_tells_what_changes_and_ends_with_ctrl_c(code):
    process = start(_SCAN, code, "--watch")
    # It would wait for ever, and the test with it.
    patience = threading.Timer(60, process.kill)
    patience.start()
    with process:
        line_with(process.stderr, "watching")
        (code / "stock.py").write_text("bus.subscribe('order.placed', print)\n")
        lines = [line_with(process.stdout, "+"), process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130
    patience.cancel()

    assert lines[-2:] == ["+ agent stock\n", "+ stock subscribes order.placed\n"]


@pytest.mark.parametrize(
    "words",
    [("missing",), (".", "--config", "no.yaml"), (".", "--interval", "1", "--no-push")],
)
def test_what_makes_no_sense_is_told(code, words):
    _, err = run(_SCAN, *words, folder=code, status=1)

    assert "invalid_request" in err
