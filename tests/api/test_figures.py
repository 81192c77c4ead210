"""`GET /api/v1/figures`: what processes tell of themselves, and what flowed of late."""

from __future__ import annotations

import asyncio

import pytest

from chalicelib.events.reports import SHOWN_SECONDS
from eventyard.events import Event, EventBus
from eventyard.testing import memory_router
from tests.steps import bearer, publish, subscribe

ADDRESS = "/api/v1/figures"


def report(name="shop", source="c1", published=0, **more):
    payload = {
        "process": name,
        "started_at": "2026-01-01T00:00:00.000Z",
        "every_s": 30,
        "cache": {"enabled": True, "hits": 3, "misses": 1, "hit_rate": 75.0},
        "bus": {"events_published": published, "handler_errors": 0},
        "telemetry": {"enabled": False},
        "client": {"pending": 0},
        **more,
    }
    return {"type": "telemetry.reported", "source": source, "payload": payload}


def told(platform, pump, *events):
    publish(platform, *events)
    pump.run()


def processes(http):
    answer = http.get(ADDRESS)
    assert answer.status == 200
    return answer.json()["processes"]


def test_each_process_is_told_of_by_its_newest_report_and_the_counts_before(
    http, platform, pump, clock
):
    told(platform, pump, report(published=10), report("mill", "c2"))
    clock.tick(30)
    told(platform, pump, report(published=25))
    clock.tick(30)
    told(platform, pump, report(published=70))

    mill, shop = processes(http)

    assert (mill["process"], mill["before"], mill["ended"]) == ("mill", None, False)
    assert (shop["process"], shop["source"], shop["every_s"]) == ("shop", "c1", 30)
    assert shop["bus"]["events_published"] == 70
    assert shop["cache"]["hit_rate"] == 75.0
    assert shop["before"]["bus"]["events_published"] == 25
    assert shop["before"]["at"] < shop["at"]


def test_what_the_package_reports_is_what_is_shown(http, platform, pump):
    async def run():
        async with memory_router() as router, router.client("c1") as client:
            bus = EventBus.separate()
            await bus.publish(Event("a"))
            async with client.report("shop", bus=bus, every_s=10):
                pass
            await client.flush()
            return [
                {"type": one.type, "source": one.source, "payload": one.payload}
                for one in router.events
            ]

    told(platform, pump, *asyncio.run(run()))

    (one,) = processes(http)
    assert (one["process"], one["source"], one["every_s"]) == ("shop", "c1", 10)
    assert (one["ended"], one["cache"]) == (True, None)
    assert one["bus"]["events_published"] == 1
    assert one["telemetry"] == {"enabled": False, "traces": False, "metrics": False}


def test_two_of_one_name_are_two_and_one_that_begins_again_counts_anew(
    http, platform, pump
):
    again = report(started_at="2026-01-01T01:00:00.000Z")
    told(platform, pump, report(), report(source="c2"), again)

    assert [one["before"] for one in processes(http)] == [None, None, None]


def test_who_said_that_it_ends_has_ended(http, platform, pump):
    told(platform, pump, report(), report(ended=True))

    assert [one["ended"] for one in processes(http)] == [True]


def test_reports_that_are_routed_out_of_order_change_nothing(
    http, platform, pump, clock
):
    publish(platform, report(published=1))
    clock.tick(30)
    publish(platform, report(published=2))
    pump.relay()
    records = pump.messages("routing")
    for record in [*records[::-1], *records]:
        pump.handle("routing", [{**record}])

    (one,) = processes(http)
    assert one["bus"]["events_published"] == 2
    assert one["before"]["bus"]["events_published"] == 1


def test_who_has_not_reported_for_ten_minutes_is_not_told_of(
    http, platform, pump, clock
):
    told(platform, pump, report())
    clock.tick(SHOWN_SECONDS - 1)
    assert len(processes(http)) == 1
    clock.tick(2)
    assert processes(http) == []


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        [1],
        {},
        {"process": "a"},
        {**report()["payload"], "process": 5},
        {**report()["payload"], "started_at": None},
        {**report()["payload"], "every_s": "30"},
        {**report()["payload"], "every_s": True},
        {**report()["payload"], "every_s": 0},
        {**report()["payload"], "process": "x" * 5_000},
        {**report()["payload"], "bus": {"x": "y" * 300_000}},
    ],
)
def test_what_is_no_report_is_left_out_and_spoils_no_others(
    http, platform, pump, payload
):
    event = {"type": "telemetry.reported", "payload": payload}
    told(platform, pump, event, report())

    assert [one["process"] for one in processes(http)] == ["shop"]


def test_parts_that_make_no_sense_are_none_and_others_are_dropped(http, platform, pump):
    told(platform, pump, report(cache="fast", bus=7, password="hunter2"))

    answer = http.get(ADDRESS)
    (one,) = answer.json()["processes"]
    assert (one["cache"], one["bus"]) == (None, None)
    assert "hunter2" not in answer.text


def test_the_platform_tells_what_flowed_how_late_and_what_failed(
    http, platform, pump, clock, receiver
):
    clock.now = clock.now // 60 * 60 + 30
    receiver.reaction = lambda number, _: (500 if number == 1 else 204, {})
    subscribe(platform, receiver.url, ["order.*"], retry={"schedule_s": [0]})
    publish(platform, *[{"type": "order.paid"}] * 6, {"type": "user.created"})
    publish(platform, report())
    clock.tick(0.5)
    pump.run()

    told = http.get(ADDRESS).json()["platform"]

    assert (told["published"], told["delivered"], told["errors"]) == (7, 6, 1)
    assert told["window_s"] == 300
    assert told["published_rate"] == round(7 / 330.5, 6)
    assert told["p95_lag_ms"] == pytest.approx(500, rel=0.15)
    order, user = told["topics"]
    assert (order["topic"], order["published"], order["errors"]) == ("order.paid", 6, 1)
    assert (user["topic"], user["published"], user["p95_lag_ms"]) == (
        "user.created",
        1,
        None,
    )


def test_the_busiest_topics_are_told_and_all_are_summed(http, platform, pump):
    publish(platform, *[{"type": f"t.{n}"} for n in range(30)], {"type": "t.7"})
    pump.run()

    told = http.get(ADDRESS).json()["platform"]

    assert told["published"] == 31
    assert len(told["topics"]) == 20
    assert (told["topics"][0]["topic"], told["topics"][0]["published"]) == ("t.7", 2)


def test_nothing_seen_is_nothing(http, platform):
    assert http.get(ADDRESS).json() == {
        "processes": [],
        "platform": {
            "window_s": 300,
            "published": 0,
            "published_rate": 0.0,
            "delivered": 0,
            "delivered_rate": 0.0,
            "errors": 0,
            "p95_lag_ms": None,
            "topics": [],
        },
    }


def test_a_key_for_some_topics_is_told_of_those_alone(http, locked, pump):
    told(locked, pump, report(), {"type": "order.paid"}, {"type": "user.created"})

    def shown(scope):
        bearer(http, scope)
        body = http.get(ADDRESS).json()
        topics = [one["topic"] for one in body["platform"]["topics"]]
        return topics, len(body["processes"]), body["platform"]["published"]

    assert shown("events:subscribe:order.*") == (["order.paid"], 0, 1)
    assert shown("events:subscribe:telemetry.*") == ([], 1, 0)
    assert shown("events:subscribe") == (["order.paid", "user.created"], 1, 2)


def test_a_report_costs_no_call_of_its_own(calls, platform, pump):
    def cost(event):
        publish(platform, event)
        pump.relay()
        records = pump.messages("routing")
        calls.clear()
        pump.handle("routing", records)
        return calls.counted

    plain = cost({"type": "a.b", "source": "x"})
    plain = cost({"type": "a.b", "source": "x"})

    assert cost(report()) == plain


def test_looking_costs_two_reads(calls, http, platform, pump):
    told(platform, pump, report())
    http.get(ADDRESS)
    calls.clear()

    http.get(ADDRESS)

    assert set(calls.counted) == {"Query"}
    assert calls.counted["Query"] <= 3
