"""Server-sent events over HTTP: framing, resuming, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from chalicelib.events.recall import OVERLAP_MS
from tests.steps import bearer, publish

PATH = "/api/v1/events/stream"


def frames(answer):
    """The answer's blocks: `id`, and `data` where there is some."""
    blocks = [block for block in answer.text.split("\n\n") if block]
    assert answer.text.endswith("\n\n")
    assert blocks[0] == "retry: 1000"
    found = []
    for block in blocks[1:]:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        found.append(dict(line.split(": ", 1) for line in lines))
    return found


def events(answer):
    return [json.loads(f["data"]) for f in frames(answer) if "data" in f]


@pytest.fixture
def begun(http):
    """The id that a connection which begins now is given."""
    return frames(http.get(f"{PATH}?wait=0"))[-1]["id"]


def ask(http, last_id, query="wait=0"):
    return http.get(f"{PATH}?{query}", Last_Event_ID=last_id)


def test_it_is_an_event_stream_that_nobody_caches(http):
    answer = http.get(f"{PATH}?wait=0")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("retry: 1000\n\n: nothing new\nid: ")


def test_a_new_connection_begins_now(http, platform):
    publish(platform, {"type": "before"})
    last = frames(http.get(f"{PATH}?wait=0"))[-1]["id"]
    publish(platform, {"type": "after"})

    assert [e["type"] for e in events(ask(http, last))] == ["after"]


def test_an_event_is_one_line_of_its_wire_json(http, platform, begun):
    payload = {"text": "one\ntwo\r\nthree\u2028\u0085 🐍 \x00", "data: ": "id: 7\n\n"}
    (told,) = publish(platform, {"type": "a.b", "payload": payload, "priority": 9})

    answer = ask(http, begun)

    (event,) = events(answer)
    assert event == http.get(f"/api/v1/events/{told.event_id}").json()
    assert event["payload"] == payload
    assert "event:" not in answer.text.replace('"event', "")
    assert "\r" not in answer.text


def test_reconnecting_after_any_event_brings_the_rest(http, platform, begun):
    publish(platform, {"type": "a"}, {"type": "b"}, {"type": "c"})
    then = platform.log.now_ms()
    while platform.log.now_ms() == then:  # within one, places are in no order
        pass
    publish(platform, {"type": "d"})
    first = [f for f in frames(ask(http, begun)) if "data" in f]

    rests = [[e["type"] for e in events(ask(http, one["id"]))] for one in first]

    assert rests == [["b", "c", "d"], ["c", "d"], ["d"], []]


def test_what_appears_late_below_what_was_sent_is_sent_too(http, platform, begun):
    from eventyard.core import ulid
    from eventyard.core.event import Event

    publish(platform, {"type": "quick"})
    last = frames(ask(http, begun))[-1]["id"]
    late = ulid.new_ulid(platform.log.now_ms() - 9_000)
    platform.log.append(late, [Event("late")], "t")

    answer = ask(http, last)

    assert [e["type"] for e in events(answer)] == ["late"]
    assert events(ask(http, frames(answer)[-1]["id"])) == []


def test_the_header_wins_over_the_address(http, platform, begun):
    publish(platform, {"type": "a"})
    last = frames(ask(http, begun))[-1]["id"]

    again = events(ask(http, last, f"wait=0&cursor={begun}&since=2020-01-01"))
    by_address = events(http.get(f"{PATH}?wait=0&cursor={begun}"))

    assert (again, [e["type"] for e in by_address]) == ([], ["a"])


def test_it_begins_at_a_time(http, platform):
    publish(platform, {"type": "a"})
    moment = (datetime.now(UTC) - timedelta(seconds=30)).isoformat()
    moment = moment.replace("+00:00", "Z")

    assert [e["type"] for e in events(http.get(f"{PATH}?wait=0&since={moment}"))] == [
        "a"
    ]


def test_topics_and_filters_apply(http, platform, begun):
    publish(platform, {"type": "order.a", "priority": 9}, {"type": "order.b"})
    publish(platform, {"type": "user.a", "priority": 9})

    answer = ask(http, begun, "wait=0&topics=order.*,x.*&filter=priority:gt:5")

    assert [e["type"] for e in events(answer)] == ["order.a"]


def test_expired_events_are_left_out(http, platform, begun):
    publish(platform, {"type": "a", "expires_at": "2020-01-01T00:00:00Z"})
    publish(platform, {"type": "b"})

    assert [e["type"] for e in events(ask(http, begun))] == ["b"]


def test_large_payloads_are_whole(http, platform, begun):
    publish(platform, {"type": "a", "payload": "x" * 300_000})

    assert len(events(ask(http, begun))[0]["payload"]) == 300_000


def test_a_payload_that_no_answer_can_hold_comes_as_its_address(http, platform, begun):
    publish(platform, {"type": "a", "payload": "ü" * 800_000}, {"type": "b"})

    answer = ask(http, begun)

    large, small = events(answer)
    assert large["dataref"].startswith("s3://")
    assert small["type"] == "b"
    assert len(json.dumps(answer.text)) < 5_000_000


def test_it_waits_for_something(http, platform, begun):
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) == 3:
            publish(platform, {"type": "a"})

    object.__setattr__(platform.feed, "sleep", sleep)

    answer = ask(http, begun, "wait=5")

    assert len(events(answer)) == 1
    assert sleeps == pytest.approx([0.1, 0.15, 0.225])


def test_an_idle_log_costs_one_read_a_look(http, platform, begun, monkeypatch):
    monkeypatch.setattr(type(platform.feed), "now", None)
    made = []
    query = platform.table.query
    platform.table.query = lambda *a, **k: made.append(a) or query(*a, **k)

    ask(http, begun)

    assert len(made) in (1, 2)  # two, where the ten minutes of a bucket end


def test_one_commit_that_cannot_be_read_hides_no_other(http, platform, begun):
    key = platform.log.new_key()
    row = {"pk": platform.log.partition(key), "sk": key, "n": 1, "events": "{"}
    platform.table.put(row)
    publish(platform, {"type": "a"})

    assert [e["type"] for e in events(ask(http, begun))] == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=01M7XZWQJYDFMFZR88CEXSY7JH.!",
        "cursor=7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "wait=21",
        "wait=x",
        "since=yesterday",
        "since=9000-01-01",
        "filter=a:above:b",
        "topics=a..b",
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(http, query):
    answer = http.get(f"{PATH}?{query}")

    assert answer.status == 400
    assert answer.json()["error"]["code"].startswith("invalid_")


def test_a_last_event_id_that_is_none_of_ours_is_refused(http):
    assert ask(http, "evt_7").status == 400


def test_only_topics_that_the_key_covers_are_sent(http, platform, locked):
    bearer(http, "events:subscribe:order.*")
    last = frames(http.get(f"{PATH}?wait=0"))[-1]["id"]
    publish(platform, {"type": "order.a"}, {"type": "user.a"})

    assert [e["type"] for e in events(ask(http, last))] == ["order.a"]


def test_a_position_of_days_ago_is_reached_with_few_reads(http, platform, clock, calls):
    platform.relay.catch_up()
    for _ in range(8):
        clock.tick(12 * 3_600)
        publish(platform, {"type": "daily"})
        clock.tick(90)
        platform.relay.catch_up()
    start = clock.now - 8 * 86_400
    moment = datetime.fromtimestamp(start, UTC).isoformat().replace("+00:00", "Z")
    clock.tick(OVERLAP_MS / 1000)
    calls.clear()

    answer = http.get(f"{PATH}?wait=0&since={moment}")

    assert len(events(answer)) == 8
    assert calls.counted["Query"] < 50


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"filter": '{"payload.n":{"$gte":2}}'}, [2, 3]),
        ({"filter": '{"$or":[{"payload.n":1},{"payload.n":3}]}'}, [1, 3]),
        ({"filter": ['{"payload.n":{"$gt":1}}', "payload.n:lt:3"]}, [2]),
        ({"filter": ['{"payload.n":{"$gt":1}}', '{"$not":{"payload.n":2}}']}, [3]),
    ],
)
def test_a_filter_may_be_json(http, platform, begun, query, wanted):
    publish(platform, *({"type": "a", "payload": {"n": n}} for n in (1, 2, 3)))

    told = ask(http, begun, "wait=0&" + urlencode(query, doseq=True))

    assert [event["payload"]["n"] for event in events(told)] == wanted


@pytest.mark.parametrize("text", ["{", '{"a":{"$no":1}}', '{"$or":1}', "{}x"])
def test_json_that_is_no_filter_is_refused(http, text):
    told = http.get(f"{PATH}?{urlencode({'wait': 0, 'filter': text})}")

    assert told.status == 400
    assert told.fault()["code"] == "invalid_subscription"
