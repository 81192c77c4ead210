"""What commands have in common: errors, exit statuses, help; and the smaller ones."""

from __future__ import annotations

import io
import json
import signal
import socket

import pytest
from rich.console import Console

from eventyard.cli import options, start
from eventyard.cli.http import Api
from eventyard.core.errors import InvalidRequestError


def nobody():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_nobody_home_is_told_with_what_to_do(call):
    for words in (("status",), ("events",), ("purge", "--older-than", "1d")):
        told = call(*words, "--url", nobody(), status=1)
        assert "connection_failed" in told.stderr
        assert "make run" in told.stderr
    assert call("status", "--url", nobody(), status=1).stdout == (
        "Event Router Status: Not running\n"
    )
    told = call("status", "--json", "--url", nobody(), status=1)
    assert json.loads(told.stdout)["status"] == "unreachable"


def test_something_else_that_answers_is_told_to_be_no_eventyard(call, fake):
    fake.answers["/api/v1/events"] = "<html>hello</html>"
    assert "no Eventyard: it says '<html>" in call("events", at=fake, status=1).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("status", "--nonsense"),
        ("replay",),
        ("replay", "--from", "yesterday"),
        ("export", "--format", "xml"),
        ("purge",),
        ("key", "create", "ci"),
        ("key", "create", "ci", "admin", "--expires-in", "soon"),
        ("subscribe", "a", "--exec", "cat", "--json"),
        ("start", "--transport", "pigeon"),
        ("start", "--port", "0"),
    ],
)
def test_what_is_called_wrongly_ends_with_2(call, words):
    assert call(*words, status=2).stderr


def test_what_a_platform_says_is_no_markup(call, fake):
    error = {"code": "odd[/]", "message": "a [bold]b[/bold] [/nothing]"}
    fake.answers["/api/v1/events"] = (400, {"error": error}, {})
    told = call("events", at=fake, status=1).stderr
    assert told == "odd[/]: a [bold]b[/bold] [/nothing]\n"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://x.test", "https://x.test"),
        ("https://x.test/stage/", "https://x.test/stage"),
        ("wss://x.test/ws/router", "https://x.test"),
        ("ws://x.test:5555/ws", "http://x.test:5555"),
        ("http://x.test/stage/ws/dashboard", "http://x.test/stage"),
    ],
)
def test_any_address_of_a_platform_leads_to_it(url, base):
    assert Api(url).base == base


@pytest.mark.parametrize("url", ["x.test", "ftp://x.test", "memory://", ""])
def test_what_is_no_address_is_said_to_be_none(url):
    with pytest.raises(InvalidRequestError, match="--url or EVENTYARD_URL"):
        _ = Api(url).base


@pytest.mark.parametrize("option", ["--api-key", "--key"])
def test_a_key_goes_into_a_header_and_no_address(call, fake, option):
    call("status", option, "ey_secret", at=fake)

    assert {h.get("Authorization") for *_, h, _ in fake.requests[:3]} == {
        "Bearer ey_secret"
    }
    assert fake.live[0]["authorization"] == "Bearer ey_secret"
    assert "secret" not in str([path for _, path, *_ in fake.requests])
    assert "token" not in fake.live[0]


def test_every_command_has_help_and_most_have_examples(call):
    from typer.main import get_command

    from eventyard.cli.commands import app, pubsub

    for root in (app, pubsub):
        for words, command in commands(get_command(root)):
            told = call(*words, "--help", app=root).stdout
            assert command.help, words
            if words[0] not in ("queues", "keys"):
                assert "Examples:" in told, words


def commands(group, words=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def test_shells_can_complete_it(call):
    assert "--install-completion" in call("--help").stdout


def test_a_platform_that_is_not_well_says_what_is_wrong(call, fake):
    checks = {"transport": "ok", "queue": "3 dead letters of routing"}
    fake.answers["/health"] = {"status": "degraded", "checks": checks}
    lines = call("status", at=fake).stdout.splitlines()
    assert lines[0] == "Event Router Status: Running (degraded)"
    assert lines[-1] == "Issue: queue: 3 dead letters of routing"

    fake.answers["/health"] = (503, {"status": "unhealthy", "checks": checks}, {})
    assert "Unhealthy" in call("status", at=fake, status=1).stdout


def test_a_live_channel_that_refuses_is_not_connected(call, fake):
    fake.frames = None
    told = call("status", at=fake)
    assert "Transport: WebSocket (not connected)" in told.stdout
    assert "A proxy on the way may refuse WebSockets" in told.stderr


def test_every_count_is_shown_on_demand_and_to_programs(call, fake):
    assert "Events delivered" in call("status", "--all", at=fake).stdout
    told = json.loads(call("status", "--json", at=fake).stdout)
    assert (told["events_delivered"], told["connected"]) == (10_100, True)


def test_monitor_looks_at_what_the_channel_does_not(process, fake):
    def frame(number, **fields):
        known = {"type": "a.b", "event_id": f"evt_{number}", "cursor": str(number)}
        return {**known, "timestamp": "2024-01-01T12:00:00Z", "data": number, **fields}

    fake.frames = [
        frame(1, priority=9, source="shop"),
        frame(2, priority=9, source="mail"),
        frame(3, source="shop"),
        frame(4, priority=8, source="shop", data=["not", "an", "object"]),
        frame(4, priority=8, source="shop", data=["not", "an", "object"]),
        frame(5, priority=7, source="shop", data={"recovered": False}),
    ]

    filters = ("--filter", "priority:gte:7", "--filter", "source:shop")
    watching = process("monitor", "a.*", *filters, "--json", EVENTYARD_URL=fake.url)

    found = [json.loads(watching.stdout.readline())["event_id"] for _ in range(3)]
    watching.send_signal(signal.SIGINT)
    assert found == ["evt_1", "evt_4", "evt_5"]
    assert watching.wait(20) == 130


def test_a_reader_that_goes_away_ends_an_export_quietly(process, fake):
    page = {"events": [{"id": f"evt_{n}", "payload": "x" * 5_000} for n in range(500)]}
    fake.answers["/api/v1/export"] = {**page, "cursor": "01X"}

    exporting = process("export", EVENTYARD_URL=fake.url)
    exporting.stdout.read(10)
    exporting.stdout.close()

    assert exporting.wait(20) == 141
    assert "Traceback" not in exporting.stderr.read()


def test_a_file_that_cannot_be_written_is_told(call, fake, tmp_path):
    fake.answers["/api/v1/export"] = {"events": [], "cursor": None}
    told = call("export", "--output", tmp_path / "no" / "file", at=fake, status=1)
    assert "cannot be written" in told.stderr


def test_how_far_something_is_shows_on_a_terminal_alone(call, fake, monkeypatch):
    fake.answers |= {
        "/api/v1/purge": (202, {"id": "prg_1"}, {}),
        "/api/v1/purges/prg_1": [
            (200, {"state": "RUNNING", "progress": 0.5}, {}),
            (200, {"state": "DONE", "progress": 1, "events": 7}, {}),
        ],
    }
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60)
    monkeypatch.setattr(options, "err", console)

    done = call("purge", "--older-than", "30d", "--confirm", at=fake)

    assert done.stdout == "purged 7 events\n"
    assert "purging" in screen.getvalue()
    assert "━" in screen.getvalue()
    assert "100 %" in screen.getvalue()


def test_what_was_cancelled_meanwhile_is_told(call, fake):
    fake.answers |= {
        "/api/v1/purge": (202, {"id": "prg_1"}, {}),
        "/api/v1/purges/prg_1": {"state": "CANCELLED", "progress": 0.5},
    }
    told = call("purge", "--older-than", "30d", "--confirm", at=fake, status=1)
    assert "It was cancelled" in told.stderr


@pytest.mark.parametrize(
    ("transport", "said"),
    [
        ("websocket", "No Eventyard project here or above"),
        ("memory", "starts with its first client"),
        ("redis", "start one"),
    ],
)
def test_where_there_is_nothing_to_start_it_is_said_how(
    call, monkeypatch, tmp_path, transport, said
):
    monkeypatch.chdir(tmp_path)
    assert said in call("start", "--transport", transport, status=1).stderr


def test_a_platform_is_run_by_the_python_of_its_project(tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    assert start.interpreter(tmp_path) != str(python)
    python.parent.mkdir(parents=True)
    python.touch()
    assert start.interpreter(tmp_path) == str(python)


def test_a_platform_is_not_told_what_its_clients_are():
    kept = {"EVENTYARD_URL": "http://x.test", "EVENTYARD_STAGE": "dev"}
    assert start.environment(kept, 8080) == {
        "EVENTYARD_STAGE": "dev",
        "EVENTYARD_PORT": "8080",
    }


def test_event_flow_does_not_serve_what_is_another_machines(call, tmp_path):
    from eventyard.cli.commands import pubsub

    config = tmp_path / "flow.yaml"
    config.write_text("api_url: http://flow.invalid:5555\n")
    told = call("event-flow", "--config", config, app=pubsub, status=1)
    assert "another machine" in told.stderr.replace("\n", " ")
    missing = call("event-flow", "--config", tmp_path / "none", app=pubsub, status=1)
    assert "no configuration file" in missing.stderr
