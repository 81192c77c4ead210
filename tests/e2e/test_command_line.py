"""`eventyard`, against the running platform."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.e2e.running import free_port, wait_until

_COMMAND = [sys.executable, "-c", "from eventyard.cli import main; main()"]


@pytest.fixture
def eventyard(running):
    def call(*arguments: str, status: int = 0, url: str = running.address) -> str:
        done = subprocess.run(
            [*_COMMAND, *arguments],
            env={**os.environ, "EVENTYARD_URL": url, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    return call


def test_publish_list_and_show_an_event(eventyard):
    told = json.loads(
        eventyard("publish", "cli.x", '{"n": 1}', "--priority", "8", "--json")
    )

    listed = eventyard("events", "--topics", "cli.*", "--filter", "priority:gte:8")
    shown = json.loads(eventyard("event", told["event_id"]))

    assert "cli.x" in listed
    assert shown["payload"] == {"n": 1}
    assert shown["priority"] == 8


def test_more_events_than_a_page_holds_are_listed(eventyard, running):
    for _ in range(6):
        events = [{"type": "cli.many"}] * 100
        running.request("POST", "/api/v1/events", events)

    listed = json.loads(
        eventyard("events", "--topics", "cli.many", "--limit", "550", "--json")
    )

    assert len({event["id"] for event in listed}) == 550


def test_status_shows_what_the_document_says(eventyard):
    lines = eventyard("status").splitlines()

    assert lines[0].startswith("Event Router Status: Running")
    assert lines[1] == "Transport: WebSocket (connected)"
    labels = [line.partition(":")[0] for line in lines[2:5]]
    assert labels == ["Events Published", "Active Subscriptions", "Queue Depth"]
    assert json.loads(eventyard("status", "--json"))["connections"] >= 0


def test_the_doctor_reaches_all_of_it(eventyard):
    found = {one["name"]: one for one in json.loads(eventyard("doctor", "--json"))}

    assert found["address"]["state"] == "ok"
    assert found["live"]["state"] == "ok"
    assert found["clock"]["state"] == "ok"
    assert found["version"]["state"] == "ok"


def test_an_export_has_what_was_published_in_every_format(eventyard, tmp_path):
    ids = [
        json.loads(eventyard("publish", "cli.out", f'{{"n": {n}}}', "--json"))[
            "event_id"
        ]
        for n in range(2)
    ]
    last = "2999-01-01T00:00:00"

    for form in ("json", "jsonl", "csv"):
        file = tmp_path / form
        narrowed = ("--topics", "cli.out", "--to", last)
        eventyard("export", "--format", form, "--output", str(file), *narrowed)
        assert [one in file.read_text() for one in ids] == [True, True]


def test_keys_are_made_listed_and_revoked(eventyard):
    made = json.loads(eventyard("keys", "create", "ci", "events:publish", "--json"))

    assert "events:publish" in eventyard("keys", "list")
    eventyard("keys", "revoke", made["id"])
    assert made["id"] not in eventyard("keys", "list", "--json")


def test_queues_are_listed(eventyard):
    assert "routing" in eventyard("queues", "list")


def test_what_is_wrong_is_told_with_its_code_and_a_status(eventyard):
    assert "invalid_event" in eventyard(
        "publish", "cli.x", "{}", "--priority", "11", status=1
    )
    assert "not JSON" in eventyard("publish", "cli.x", "{", status=1)
    assert "not_found" in eventyard("event", "evt_none", status=1)


def test_nobody_home_is_told_with_what_to_do(eventyard):
    told = eventyard("status", status=1, url=f"http://127.0.0.1:{free_port()}")

    assert "make run" in told


@pytest.mark.parametrize("narrowed", [("watched.*",), ("--filter", "type:watched.*")])
def test_monitor_prints_events_as_they_happen(running, narrowed):
    process = subprocess.Popen(
        [*_COMMAND, "monitor", *narrowed, "--json"],
        env={**os.environ, "EVENTYARD_URL": running.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert "connected" in process.stderr.readline()
        ids = []
        # Connected is not yet listening: the first may come before its row is read.
        wait_until(lambda: running.get("/ws/stats")["active_connections"] >= 1)
        ids.append(running.publish("watched.x", {"n": 1}))
        line = json.loads(process.stdout.readline())
        process.terminate()

    assert line["event_id"] in ids
    assert line["type"] == "watched.x"
    assert line["data"] == {"n": 1}


def test_start_is_the_platform_until_ctrl_c(own_platform, tmp_path):
    port = str(own_platform.port)

    own_platform.start([*_COMMAND, "start", "--port", port])

    assert any("Starting the platform of" in line for line in own_platform.output)
    done = subprocess.run(
        [*_COMMAND, "status", "--url", own_platform.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("Event Router Status: Running"), done.stderr
    assert own_platform.stop() == 0
