"""The design document's commands, and what it shows that they print."""

from __future__ import annotations

import json
import signal


def event(number, topic, payload, second):
    return {
        "type": topic,
        "data": payload,
        "event_id": f"evt_{number}",
        "timestamp": f"2024-01-01T12:00:0{second}.000Z",
        "cursor": str(number),
    }


_CREATED = event(1, "user.created", {"id": 123, "name": "Alice"}, 0)
_UPDATED = event(2, "user.updated", {"id": 123, "email": "alice@example.com"}, 1)


def test_status(call, fake):
    assert call("status", at=fake).output.splitlines() == [
        "Event Router Status: Running",
        "Transport: WebSocket (connected)",
        "Events Published: 10,234",
        "Active Subscriptions: 45",
        "Queue Depth: 123",
    ]


def test_monitor(process, fake):
    fake.frames = [_CREATED, event(9, "order.placed", {}, 0), [_UPDATED]]

    watching = process("monitor", "--filter", "type:user.*", EVENTYARD_URL=fake.url)

    lines = [watching.stdout.readline() for _ in range(2)]
    watching.send_signal(signal.SIGINT)
    assert lines == [
        '[2024-01-01 12:00:00] user.created {"id": 123, "name": "Alice"}\n',
        '[2024-01-01 12:00:01] user.updated {"id": 123, "email": "alice@example.com"}\n',
    ]
    assert watching.wait(20) == 130
    # What is wanted is asked for, so that the rest does not travel.
    assert fake.live[0]["events"] == "user.*"


def test_replay(call, fake):
    replay = {"id": "rep_1", "progress": 1, "state": "DONE", "matched": 1_200}
    fake.answers |= {
        "/api/v1/subscriptions": {
            "subscriptions": [
                {"id": "live_1"},
                {"id": "sub_1", "revision": 1},
            ],
            "cursor": None,
        },
        "/api/v1/replays": (202, {**replay, "state": "RUNNING"}, {}),
        "/api/v1/replays/rep_1": {**replay, "subscription": "sub_1"},
    }

    done = call(
        *("replay", "--from", "2024-01-01T00:00:00", "--to", "2024-01-01T12:00:00"),
        at=fake,
    )

    assert done.stdout == "Replayed 1,200 events to sub_1\n"
    (asked,) = [body for method, _, _, body in fake.requests if method == "POST"]
    assert asked == {
        "from": "2024-01-01T00:00:00.000Z",
        "to": "2024-01-01T12:00:00.000Z",
        "subscription": "sub_1",
    }


def test_export(call, fake, tmp_path):
    fake.answers["/api/v1/export"] = [
        (200, {"events": [{"id": "evt_1"}, {"id": "evt_2"}], "cursor": "01X"}, {}),
        (200, {"events": [{"id": "evt_3"}], "cursor": None}, {}),
    ]
    file = tmp_path / "events.json"

    done = call("export", "--format", "json", "--output", file, at=fake)

    assert json.loads(file.read_text()) == [{"id": f"evt_{n}"} for n in (1, 2, 3)]
    assert "3 events in" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["events.json"]
    assert "cursor=01X" in fake.requests[-1][1]
    # What was just published is wanted as well.
    assert "until=" in fake.requests[-1][1]


def test_purge(call, fake):
    purge = {"id": "prg_1", "progress": 1, "state": "DONE", "events": 12_000}
    fake.answers |= {
        "/api/v1/purge": (202, {**purge, "state": "RUNNING"}, {}),
        "/api/v1/purges/prg_1": purge,
    }

    done = call("purge", "--older-than", "30d", "--confirm", at=fake)

    assert done.stdout == "purged 12,000 events\n"
    assert fake.requests[0][3] == {"older_than": "30d", "confirm": True}


def test_start_in_a_project_is_the_platform_at_that_port(process, tmp_path):
    project = tmp_path / "project"
    (project / "infra").mkdir(parents=True)
    (project / "app.py").touch()
    (project / "infra" / "__init__.py").touch()
    (project / "infra" / "local.py").write_text(
        "import os, pathlib, sys\n"
        "print(os.environ['EVENTYARD_PORT'], pathlib.Path.cwd(), flush=True)\n"
        "sys.exit(7)\n"
    )
    # As it is typed there, or in a folder of it.
    command = (
        "import os; os.chdir(os.environ['HERE'])\n"
        "from eventyard.cli import main; main()"
    )
    starting = process(
        *("start", "--transport", "websocket", "--port", "8080"),
        code=command,
        HERE=str(project / "infra"),
    )

    out, _ = starting.communicate(timeout=30)

    assert out.splitlines()[-1] == f"8080 {project}"
    assert starting.returncode == 7


def test_the_tools_of_event_flows_tell_where_it_is_served(call, fake, tmp_path):
    from eventyard.cli.commands import pubsub

    config = tmp_path / "devtools_config.yaml"
    config.write_text(f"event_flow:\n  api_url: {fake.url}\n")

    done = call("event-flow", "--config", config, app=pubsub)

    assert done.stdout == f"The event flow is served already: {fake.url}/flow\n"
