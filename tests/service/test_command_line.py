"""`eventyard` against the deployed application, over real HTTP."""

from __future__ import annotations

import csv
import io
import json
import os
import threading

import pytest
from typer.testing import CliRunner

from eventyard.cli.commands import app
from tests.loopback import Loopback, Reply
from tests.steps import listed, publish, subscribe


class Deployed(Loopback):
    """The application behind a port; what a request sets going is done at once."""

    def __init__(self, http, pump):
        super().__init__()
        self._http, self._pump = http, pump
        self._one = threading.Lock()

    def answer(self, request):
        wanted = ("authorization", "idempotency-key")
        headers = {
            n.replace("-", "_"): request.headers[n]
            for n in wanted
            if n in request.headers
        }
        with self._one:
            told = self._http._call(
                request.method, request.target, request.body, headers
            )
            self._pump.run()
        return Reply(told.status, told.text.encode(), told.headers)


@pytest.fixture
def deployed(http, pump):
    with Deployed(http, pump) as made:
        yield made


@pytest.fixture
def eventyard(deployed, monkeypatch):
    for name in os.environ:
        if name.startswith("EVENTYARD_URL"):
            monkeypatch.delenv(name)

    def call(*words, status=0, key=""):
        env = {"EVENTYARD_URL": deployed.origin, "EVENTYARD_API_KEY": key}
        done = CliRunner().invoke(app, [*map(str, words)], env=env)
        assert done.exit_code == status, done.output
        return done

    return call


@pytest.fixture
def filled(platform, clock):
    """Three orders and two users, an hour old."""
    clock.tick(-3600)
    for n in range(3):
        publish(platform, {"type": "order.placed", "payload": {"n": n, "t": "=1+1"}})
        clock.tick(1)
    publish(platform, {"type": "user.a"}, {"type": "user.b", "priority": 9})
    clock.tick(3600)
    platform.sweep()


@pytest.fixture
def broken(platform, pump, receiver):
    """Three events of which a subscription could deliver none."""
    receiver.reaction = lambda *_: (500, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": []})
    for n in range(3):
        publish(platform, {"type": f"a.t{n}"})
    pump.run()
    receiver.reaction = lambda *_: (200, {})
    receiver.received.clear()
    return made


def test_an_event_is_published_with_all_that_is_said_of_it(eventyard, platform):
    said = ("--source", "till", "--target", "mail", "--correlation-id", "c-1")
    told = eventyard("publish", "order.placed", '{"n": 1}', *said, "--json")

    (event,) = listed(platform)
    assert json.loads(told.stdout)["event_id"] == event.id
    assert (event.source, event.target, event.correlation_id) == ("till", "mail", "c-1")


def test_the_same_idempotency_key_publishes_once(eventyard, platform):
    for _ in range(2):
        eventyard("publish", "order.placed", "--idempotency-key", "k-1")
    assert len(listed(platform)) == 1


def test_events_are_narrowed_by_filters_that_all_hold(eventyard, filled):
    filters = ("--filter", "type:user.*", "--filter", "priority:gte:7")
    told = eventyard("events", *filters, "--json")
    assert [event["type"] for event in json.loads(told.stdout)] == ["user.b"]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_an_export_has_every_event_once_in_each_format(
    eventyard, filled, form, tmp_path, deployed, monkeypatch
):
    monkeypatch.setattr("eventyard.cli.archive._EVENTS", 2)
    file = tmp_path / "out"

    told = eventyard("export", "--format", form, "--output", file)

    assert "5 events" in told.stderr
    text = file.read_text()
    if form == "json":
        types = [event["type"] for event in json.loads(text)]
    elif form == "jsonl":
        types = [json.loads(line)["type"] for line in text.splitlines()]
    else:
        types = [row["type"] for row in csv.DictReader(io.StringIO(text))]
    assert types == ["order.placed"] * 3 + ["user.a", "user.b"]
    pages = [one for one in deployed.requests if one.path == "/api/v1/export"]
    assert len(pages) >= 3


def test_an_export_is_narrowed_and_printed(eventyard, filled):
    narrowed = ("--topics", "user.*", "--filter", "priority:9")
    told = eventyard("export", "--format", "jsonl", *narrowed)
    assert [json.loads(line)["type"] for line in told.stdout.splitlines()] == ["user.b"]


def test_an_export_that_breaks_leaves_the_file_that_was_there(
    eventyard, filled, tmp_path
):
    file = tmp_path / "events.json"
    file.write_text("before")

    eventyard("export", "--output", file, "--topics", "a..b", status=1)

    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["events.json"]


def test_a_purge_that_is_not_confirmed_shows_what_would_go(eventyard, filled, platform):
    told = eventyard("purge", "--older-than", "30m", status=1)

    assert "Would delete 5 events of 4 commits" in told.stdout
    assert "--confirm" in told.stderr
    assert len(listed(platform)) == 5
    eventyard("purge", "--older-than", "30m", "--dry-run")


def test_a_purge_that_is_confirmed_deletes(eventyard, filled, platform):
    told = eventyard("purge", "--older-than", "30m", "--confirm")

    assert told.stdout == "purged 5 events\n"
    assert [
        e.type for e in listed(platform) if not e.type.startswith("eventyard")
    ] == []


def test_a_replay_reaches_every_subscription_or_the_one_that_is_named(
    eventyard, platform, pump, receiver, clock
):
    one, two = (subscribe(platform, receiver.url, topics=["a.*"]) for _ in range(2))
    publish(platform, {"type": "a.b"}, {"type": "a.c"})
    pump.run()
    receiver.received.clear()
    clock.tick(60)

    dry = eventyard("replay", "--from", "2020-01-01", "--dry-run")
    assert dry.stdout.count("Would deliver 2 events to sub_") == 2
    assert receiver.received == []

    eventyard("replay", "--from", "2020-01-01", "--topics", "a.b")
    assert len(receiver.received) == 2
    told = eventyard("replay", "--from", "2020-01-01", "--subscription", one.id)
    assert told.stdout == f"Replayed 2 events to {one.id}\n"
    assert two.id not in told.stdout


def test_a_replay_to_nobody_says_what_to_do_instead(eventyard):
    told = eventyard("replay", "--from", "2020-01-01", status=1)
    assert "no subscription to deliver to" in told.stderr


def test_dead_letters_are_listed_shown_retried_and_thrown_away(
    eventyard, broken, receiver
):
    found = json.loads(eventyard("dlq", "list", "--json").stdout)
    assert [one["type"] for one in found] == ["a.t2", "a.t1", "a.t0"]
    assert found[0]["id"] in eventyard("dlq", "list").stdout
    assert len(json.loads(eventyard("dlq", "list", "--limit", 2, "--json").stdout)) == 2
    shown = json.loads(eventyard("dlq", "show", found[0]["id"]).stdout)
    assert shown["event"]["type"] == "a.t2"

    assert eventyard("dlq", "retry", found[0]["id"]).stdout == "retried 1\n"
    assert receiver.ids() == [found[0]["event_id"]]

    refused = eventyard("dlq", "purge", "--subscription", broken.id, status=1)
    assert "--confirm" in refused.stderr
    eventyard("dlq", "purge", found[1]["id"], "--confirm")
    assert eventyard("dlq", "retry", "--all").stdout == "retried 1\n"
    assert "No dead letters" in eventyard("dlq", "list").stdout


def test_a_dead_letter_that_is_not_there_is_told_and_ends_with_1(eventyard):
    told = eventyard("dlq", "retry", "nothing", status=1)
    assert "stays nothing: There is no dead letter nothing." in told.stderr


@pytest.mark.parametrize(
    "words", [(), ("x", "--all"), ("--all", "--subscription", "s")]
)
def test_which_dead_letters_has_to_be_said_in_one_way(eventyard, words):
    assert "Name ids" in eventyard("dlq", "retry", *words, status=2).stderr


def test_graphs_are_listed_shown_and_taken_out(eventyard, http, tmp_path):
    dot = 'digraph { "shop" -> "order.placed"; "order.placed" -> "mail"; }'
    http.post(
        "/api/graph",
        {"graph_type": "complete", "dot_content": dot, "project": "shop"},
    )
    of = ("--project", "shop")

    assert "shop" in eventyard("graph", "list").stdout
    assert (
        json.loads(eventyard("graph", "list", "--json").stdout)[0]["project"] == "shop"
    )
    assert "order.placed" in eventyard("graph", "show", *of).stdout
    assert eventyard("graph", "export", *of).stdout.strip() == dot
    file = tmp_path / "flow.mmd"
    eventyard("graph", "export", *of, "--format", "mermaid", "--output", file)
    assert "order.placed" in file.read_text()
    missing = eventyard("graph", "show", "simplified", *of, status=1)
    assert "http_404" in missing.stderr


@pytest.mark.parametrize("name", ["key", "keys"])
def test_keys_are_made_listed_rotated_and_revoked_by_both_names(eventyard, name):
    made = json.loads(
        eventyard(
            name, "create", "ci", "events:publish", "--expires-in", "90d", "--json"
        ).stdout
    )
    assert made["expires_in_s"] == 90 * 86_400
    assert made["id"] in eventyard(name, "list").stdout

    next_one = json.loads(
        eventyard(name, "rotate", made["id"], "--grace", "0s", "--json").stdout
    )
    assert next_one["key"].startswith("ey_")
    eventyard(name, "revoke", next_one["id"])
    left = json.loads(eventyard(name, "list", "--json").stdout)
    assert [one["id"] for one in left] == [made["id"]]


def test_a_key_that_may_not_is_told_what_to_do(eventyard, locked):
    locked.keys.create("admin", ["admin"], None)
    secret, _ = locked.keys.create("reader", ["events:subscribe"], None)

    unknown = eventyard("events", status=1)
    denied = eventyard("publish", "a.b", status=1, key=secret)

    assert "unauthenticated" in unknown.stderr
    assert "EVENTYARD_API_KEY" in unknown.stderr
    assert "permission_denied" in denied.stderr
    assert "eventyard key create" in denied.stderr


def test_the_doctor_names_what_a_key_may_do(eventyard, locked):
    secret, _ = locked.keys.create("ci", ["events:publish:a.*", "graph:read"], None)

    # There is no live channel behind this port, so it is not all well.
    told = json.loads(eventyard("doctor", "--json", key=secret, status=1).stdout)

    found = {one["name"]: one for one in told}
    assert found["key"]["state"] == "ok"
    assert found["key"]["found"] == "accepted: events:publish:a.*, graph:read"
    assert found["live"]["state"] == "failed"
    assert found["dead letters"]["state"] == "skipped"
    assert listed(locked) == []


def test_the_doctor_sends_a_stranger_to_an_administrator(eventyard, locked):
    told = eventyard("doctor", status=1)
    assert "✗ key: the platform asks for one, and none is given" in told.stdout
    wrong = eventyard("doctor", status=1, key="ey_wrong")
    assert "→ Ask an administrator for a key" in wrong.stdout


def test_the_doctor_finds_what_was_not_delivered(eventyard, broken):
    told = eventyard("doctor", status=1)
    assert "! dead letters: 3 were not delivered" in told.stdout
    assert "→ See why with `eventyard dlq list`" in told.stdout
    assert "! key: none is asked for" in told.stdout


def test_what_prints_json_anyway_may_be_asked_for_it(eventyard, broken):
    (newest, *_) = json.loads(eventyard("dlq", "list", "--json").stdout)
    shown = eventyard("dlq", "show", newest["id"], "--json")
    assert json.loads(shown.stdout)["id"] == newest["id"]
    event = eventyard("event", newest["event_id"], "--json")
    assert json.loads(event.stdout)["id"] == newest["event_id"]
    assert json.loads(eventyard("queues", "dead", "live", "--json").stdout) == []
    told = json.loads(eventyard("queues", "redrive", "live", "--json").stdout)
    assert told["redriven"] == 0
