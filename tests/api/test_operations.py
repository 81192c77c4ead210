"""/health, /metrics, the statistics and the queues, as operators see them."""

from __future__ import annotations

import dataclasses
import re

import pytest

from chalicelib import bootstrap
from chalicelib.subscriptions.rows import Row
from tests.steps import greeted, publish


@pytest.fixture
def busy(platform, pump):
    """A platform that published three events and delivered two of them."""
    greeted(pump, events="a")
    publish(platform, {"type": "a"}, {"type": "b"})
    publish(platform, {"type": "a"})
    pump.run()
    return platform


def samples(text):
    """The samples of Prometheus' text format, and what describes each."""
    found, described = {}, {}
    for line in text.splitlines():
        if line.startswith("#"):
            _, word, name, rest = line.split(" ", 3)
            described.setdefault(name, {})[word] = rest
        else:
            name, value = line.split(" ")
            found[name] = float(value)
    return found, described


def test_a_healthy_platform_says_so(http):
    answer = http.get("/health")

    assert answer.status == 200
    assert answer.json() == {
        "status": "healthy",
        "checks": {"transport": "ok", "persistence": "ok", "queue": "ok"},
    }


def test_dead_letters_degrade_it_but_it_answers(http, platform):
    platform._dead.bury("routing", "x", "why")

    answer = http.get("/health")

    assert answer.status == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["queue"] == "1 dead letters of routing"


def test_a_sweep_that_stands_still_degrades_it(http, platform, clock):
    platform.relay.catch_up()
    clock.tick(400)

    answer = http.get("/health")

    assert answer.status == 200
    assert answer.json()["status"] == "degraded"
    assert "the sweep" in answer.json()["checks"]["transport"]


@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [
        ("table", "missing", "persistence"),
        ("topic_arn", "arn:aws:sns:us-east-1:123456789012:missing", "transport"),
        ("live_dead_url", "https://sqs.us-east-1.amazonaws.com/1/missing", "queue"),
    ],
)
def test_what_does_not_answer_makes_it_unhealthy(
    http, platform, setting, value, check, capsys
):
    wrong = dataclasses.replace(platform.settings, **{setting: value})
    platform.__dict__.clear()
    platform.settings = wrong

    answer = http.get("/health")

    found = answer.json()
    assert answer.status == 503
    assert found["status"] == "unhealthy"
    assert "see the log" in found["checks"][check]
    assert "missing" not in answer.text
    assert "a health check failed" in capsys.readouterr().err


def test_the_statistics_count_what_happened(http, busy):
    assert http.get("/api/v1/stats").json() == {
        "events_published": 3,
        "events_delivered": 2,
        "active_subscriptions": 1,
        "queue_depth": 0,
        "error_rate": 0.0,
        "connections": 1,
        "relay_lag_ms": 0,
        "dead_letters": 0,
        "undelivered": 0,
    }


def test_what_waits_and_what_died_is_counted(http, platform, pump):
    publish(platform, {"type": "a"}, {"type": "b"})
    pump.relay()
    platform._dead.bury("live", "x", "why")

    stats = http.get("/api/v1/stats").json()

    assert (stats["queue_depth"], stats["dead_letters"]) == (2, 1)


def test_dead_letters_of_subscriptions_are_counted_as_far_as_it_matters(http, platform):
    rows = [
        Row(f"{number:026d}", "sub_1", "a", f"evt_{number}", status="dead")
        for number in range(103)
    ]
    platform.subscribed.rows.write(rows)
    most = http.get("/api/v1/stats").json()["undelivered"]

    platform.subscribed.rows.revive(rows[3:])
    some = http.get("/api/v1/stats").json()["undelivered"]

    assert (most, some) == (100, 3)


def test_the_error_rate_is_the_share_that_was_given_up(http, busy):
    busy.table.add("counter", "live", failed=6)

    assert http.get("/api/v1/stats").json()["error_rate"] == 0.75


def test_metrics_are_in_prometheus_text_format(http, busy):
    answer = http.get("/metrics")

    found, described = samples(answer.text)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.text.endswith("\n")
    assert found.keys() == described.keys()
    assert all(re.fullmatch(r"event_router_[a-z_]+", name) for name in found)
    assert all(about.keys() == {"HELP", "TYPE"} for about in described.values())
    assert found["event_router_events_published_total"] == 3
    assert found["event_router_events_delivered_total"] == 2
    assert described["event_router_events_published_total"]["TYPE"] == "counter"
    assert described["event_router_connections"]["TYPE"] == "gauge"


def test_counters_outlive_the_process(http, busy, gateway):
    busy.relay.catch_up()
    bootstrap.platform.cache_clear()
    bootstrap.platform().__dict__["gateway"] = gateway

    found, _ = samples(http.get("/metrics").text)

    assert bootstrap.platform() is not busy
    assert found["event_router_events_published_total"] == 3
    assert found["event_router_events_delivered_total"] == 2


def test_live_connections_are_described(http, busy):
    stats = http.get("/ws/stats").json()

    assert stats["active_connections"] == 1
    assert stats["total_messages_sent"] == 2
    assert stats["total_broadcasts"] >= 1
    (client,) = stats["clients"]
    assert (client["client_id"], client["channel"]) == ("client_c1", "dashboard")


def test_pages_are_told_what_they_need_to_know(http, platform):
    told = http.get("/api/v1/config").json()

    assert told == platform.public_config()
    assert told.keys() == {"version", "stage", "auth", "live_url", "wire"}
    assert (told["stage"], told["auth"]) == ("test", "open")


def test_queues_are_listed(http, platform):
    platform._dead.bury("relay", {"commit": {}}, "why")

    queues = {one["name"]: one for one in http.get("/api/v1/queues").json()["queues"]}

    assert list(queues) == [
        "relay",
        "routing",
        "live",
        "deliveries",
        "urgent",
        "chores",
        "pulls",
        "insights",
        "jobs",
        "scraping",
    ]
    assert (queues["relay"]["dead"], queues["routing"]["dead"]) == (1, 0)


@pytest.mark.parametrize("name", ["routing", "relay"])
def test_dead_letters_are_looked_at_and_stay(http, platform, name):
    for number in range(3):
        platform._dead.bury(name, f"body {number}", f"reason {number}")
    address = f"/api/v1/queues/{name}/dead-letters"

    first = http.get(address).json()["dead_letters"]
    again = http.get(address).json()["dead_letters"]

    assert sorted(one["reason"] for one in first) == [f"reason {n}" for n in range(3)]
    assert sorted(one["id"] for one in first) == sorted(one["id"] for one in again)
    assert len(http.get(f"{address}?limit=2").json()["dead_letters"]) == 2


def test_dead_letters_of_routing_are_redriven(http, platform, pump, gateway):
    greeted(pump, events="*")
    publish(platform, {"type": "a"})
    pump.relay()
    (record,) = pump.messages("routing")
    platform._dead.bury("routing", record["body"], "why")

    answer = http.post("/api/v1/queues/routing/redrive").json()
    pump.run()

    assert answer == {"queue": "routing", "redriven": 1, "failed": []}
    assert gateway.frames("c1")[-1]["type"] == "a"


def test_dead_letters_of_the_relay_are_redriven(http, platform, pump, gateway):
    greeted(pump, events="*")
    (told,) = publish(platform, {"type": "a"})
    pump.records()
    key = told.event_id.removeprefix("evt_")
    letter = {"commit": {"pk": platform.log.partition(key), "sk": key}}
    platform._dead.bury("relay", letter, "why")

    answer = http.post("/api/v1/queues/relay/redrive").json()
    pump.run()

    assert answer["redriven"] == 1
    assert gateway.frames("c1")[-1]["event_id"] == told.event_id


def test_dead_letters_are_thrown_away(http, platform):
    platform._dead.bury("routing", "x", "why")

    answer = http.delete("/api/v1/queues/routing/dead-letters")

    assert answer.json() == {"queue": "routing", "purged": 1}
    assert http.get("/health").json()["status"] == "healthy"


@pytest.mark.parametrize("limit", ["0", "x", "101"])
def test_a_limit_that_makes_no_sense_is_refused(http, limit):
    answer = http.get(f"/api/v1/queues/routing/dead-letters?limit={limit}")

    assert answer.status == 400
    assert answer.json()["error"]["details"] == {"parameter": "limit"}


def test_a_queue_that_is_none_is_not_found(http):
    answer = http.get("/api/v1/queues/nothing/dead-letters")

    assert answer.status == 404
    assert "relay, routing, live" in answer.json()["error"]["message"]
