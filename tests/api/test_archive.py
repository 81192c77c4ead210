"""/api/v1/export, /api/v1/exports, /api/v1/purge and what lies under them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest
import requests

from chalicelib.events import exports
from chalicelib.events.jobs import moment
from tests.steps import bearer, ids, listed, publish

LARGE = "x" * 210_000


@pytest.fixture
def filled(platform, clock):
    """Three orders, then two users; returns when each order was published."""
    clock.tick(-60)
    times = []
    for n in range(3):
        times.append(moment(platform.log.now_ms()))
        publish(platform, {"type": "order.placed", "payload": {"n": n}})
        clock.tick(1)
    publish(platform, {"type": "user.a"}, {"type": "user.b", "priority": 9})
    clock.tick(59)
    return times


def types(answer):
    assert answer.status == 200, answer.text
    return [event["type"] for event in answer.json()["events"]]


def test_an_export_is_oldest_first_and_ends_with_no_cursor(http, filled):
    answer = http.get("/api/v1/export")

    assert types(answer) == ["order.placed"] * 3 + ["user.a", "user.b"]
    assert answer.json()["cursor"] is None
    assert answer.headers["content-type"] == "application/json"


def test_an_empty_log_exports_nothing(http, clock):
    assert http.get("/api/v1/export").json() == {"events": [], "cursor": None}
    assert http.get("/api/v1/export?format=jsonl").text == ""
    assert http.get("/api/v1/export?format=csv").text.startswith("id,type,timestamp,")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("topics=user.*", ["user.a", "user.b"]),
        ("topics=user.a,order.*", ["order.placed"] * 3 + ["user.a"]),
        ("filter=priority:gt:5", ["user.b"]),
        ("filter=payload.n:gte:1", ["order.placed"] * 2),
        ("topics=nobody", []),
        ("until=2020-01-01T00:00:00Z", []),
        ("since=2999-01-01T00:00:00Z", []),
    ],
)
def test_topics_filters_and_time_narrow_it(http, filled, query, expected):
    assert types(http.get(f"/api/v1/export?{query}")) == expected


def test_since_and_until_are_both_part_of_it(http, filled):
    _, first, last = filled

    told = http.get(f"/api/v1/export?since={first}&until={last}").json()["events"]

    assert [event["payload"]["n"] for event in told] == [1, 2]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_lines_are_paged_by_a_header(http, filled, form):
    first = http.get(f"/api/v1/export?format={form}&limit=2")
    second = http.get(
        f"/api/v1/export?format={form}&cursor={first.headers['eventyard-cursor']}"
    )
    whole = http.get(f"/api/v1/export?format={form}")

    assert "eventyard-cursor" not in second.headers
    assert first.text + second.text == whole.text
    media = {"jsonl": "application/x-ndjson", "csv": "text/csv"}[form]
    assert whole.headers["content-type"] == f"{media}; charset=utf-8"


def test_csv_is_safe_in_a_spreadsheet_and_whole(http, platform, clock):
    odd = {"type": "a.b", "source": "=cmd|'/c'!A1", "payload": {"text": 'ü,"\r\n'}}
    (told,) = publish(platform, {**odd, "circle": "x"})
    clock.tick(11)

    answer = http.get("/api/v1/export?format=csv")

    header, row = csv.reader(io.StringIO(answer.text, newline=""))
    cells = dict(zip(header, row, strict=True))
    assert cells["id"] == told.event_id
    assert cells["source"] == "'=cmd|'/c'!A1"
    assert json.loads(cells["payload"]) == odd["payload"]
    assert json.loads(cells["attributes"]) == {"circle": "x"}


def test_large_payloads_come_whole(http, platform, clock):
    publish(platform, {"type": "a.b", "payload": LARGE})
    clock.tick(11)

    (event,) = http.get("/api/v1/export").json()["events"]

    assert event["payload"] == LARGE
    assert "dataref" not in event


@pytest.mark.parametrize(
    "query",
    [
        "format=xml",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "since=yesterday",
        "topics=a..b",
        "filter=payload.a:regex:(",
    ],
)
def test_what_makes_no_sense_is_refused(http, query):
    assert http.get(f"/api/v1/export?{query}").status == 400


def test_a_key_for_topics_exports_those_alone(http, locked, filled):
    bearer(http, "events:subscribe:user.*")

    assert types(http.get("/api/v1/export")) == ["user.a", "user.b"]
    assert types(http.get("/api/v1/export?topics=order.*")) == []
    assert http.post("/api/v1/exports", {}).status == 403
    assert http.get("/api/v1/exports").status == 403
    assert http.post("/api/v1/purge", {"older_than": "1d"}).status == 403


def start(http, **wish):
    answer = http.post("/api/v1/exports", {"format": "jsonl", **wish})
    assert answer.status == 202, answer.text
    return answer.json()


def test_an_export_to_files_tells_its_way_and_gives_links(http, pump, filled):
    made = start(http, format="csv", topics="order.*")
    assert (made["state"], made["events"], made["part_count"]) == ("RUNNING", 0, 0)
    running = http.get(f"/api/v1/exports/{made['id']}").json()
    assert running["parts"] == []
    pump.run()

    done = http.get(f"/api/v1/exports/{made['id']}").json()

    assert (done["state"], done["events"], done["progress"]) == ("DONE", 3, 1.0)
    assert (done["topics"], done["filter"], done["from"]) == (["order.*"], None, None)
    (part,) = done["parts"]
    fetched = requests.get(part["url"], timeout=5)
    assert len(fetched.content) == part["bytes"] == done["bytes"]
    assert len(fetched.text.splitlines()) == 4
    assert fetched.headers["content-type"] == "text/csv; charset=utf-8"


def test_from_and_to_bound_it(http, pump, filled):
    _, first, last = filled
    made = start(http, **{"from": first, "to": last})
    pump.run()

    done = http.get(f"/api/v1/exports/{made['id']}").json()
    assert done["events"] == 2
    assert (done["from"], done["to"]) == (first, last)


def test_exports_are_listed_newest_first_and_paged(http, clock):
    made = []
    for _ in range(3):
        made.append(start(http)["id"])
        clock.tick(1)
    first = http.get("/api/v1/exports?limit=2").json()
    second = http.get(f"/api/v1/exports?limit=2&cursor={first['cursor']}").json()

    listed_ids = [one["id"] for page in (first, second) for one in page["exports"]]
    assert listed_ids == made[::-1]
    assert second["cursor"] is None


def test_parts_are_paged(http, pump, filled, monkeypatch):
    small = dataclasses.replace(exports._PART, events=2)
    monkeypatch.setattr(exports, "_PART", small)
    path = f"/api/v1/exports/{start(http)['id']}"
    pump.run()

    first = http.get(f"{path}?limit=2").json()
    second = http.get(f"{path}?limit=2&cursor={first['cursor']}").json()

    names = [part["name"] for page in (first, second) for part in page["parts"]]
    assert names == [f"part-00000{n}.jsonl" for n in range(3)]
    assert second["cursor"] is None


def test_an_export_can_be_cancelled_once(http, filled):
    path = f"/api/v1/exports/{start(http)['id']}/cancel"

    assert http.post(path).json()["state"] == "CANCELLED"
    assert http.post(path).status == 409
    assert http.post("/api/v1/exports/exp_none/cancel").status == 404
    assert http.get("/api/v1/exports/exp_none").status == 404


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"format": "xml"},
        {"format": "csv", "from": "yesterday"},
        {"format": "csv", "topics": ["a..b"]},
        {"format": "csv", "topics": ["a.*"] * 101},
        {"format": "csv", "filter": {"a": {"$nope": 1}}},
        {"format": "csv", "more": 1},
    ],
)
def test_an_export_that_makes_no_sense_is_not_begun(http, wish):
    assert http.post("/api/v1/exports", wish).status == 400
    assert http.get("/api/v1/exports").json()["exports"] == []


@pytest.fixture
def aged(platform, clock):
    """Two old events in one commit, and a young one; returns their ids."""
    platform.relay.catch_up()
    old = ids(publish(platform, {"type": "old.a"}, {"type": "old.b"}))
    clock.tick(86_400)
    for _ in range(3):  # the sweep looks at half a day at a time
        platform.relay.catch_up()
    return old, ids(publish(platform, {"type": "young.a"}))


def test_without_confirmation_it_only_tells_what_would_go(http, platform, aged):
    answer = http.post("/api/v1/purge", {"older_than": "12h"})

    assert answer.status == 400
    error = answer.json()["error"]
    assert error["code"] == "confirmation_required"
    assert "2 events in 1 commits" in error["message"]
    assert '"confirm": true' in error["message"]
    told = error["details"]
    assert (told["commits"], told["events"], told["at_least"]) == (1, 2, False)
    assert len(listed(platform)) == 3


@pytest.mark.parametrize("confirm", [True, False])
def test_a_dry_run_counts_and_deletes_nothing(http, platform, pump, aged, confirm):
    wish = {"older_than": "12h", "dry_run": True, "confirm": confirm}
    answer = http.post("/api/v1/purge", wish)
    pump.run()

    assert answer.status == 200
    assert answer.json()["events"] == 2
    assert len(listed(platform)) == 3
    assert http.get("/api/v1/purges").json()["purges"] == []


def test_a_purge_deletes_and_tells_its_way(http, pump, aged):
    old, young = aged
    answer = http.post("/api/v1/purge", {"older_than": "12h", "confirm": True})
    assert answer.status == 202
    path = f"/api/v1/purges/{answer.json()['id']}"
    assert http.get(path).json()["state"] == "RUNNING"
    pump.run()

    done = http.get(path).json()
    assert (done["state"], done["commits"], done["events"]) == ("DONE", 1, 2)
    assert http.get("/api/v1/purges").json()["purges"] == [done]
    assert [http.get(f"/api/v1/events/{one}").status for one in old] == [404, 404]
    assert http.get(f"/api/v1/events/{young[0]}").status == 200


def test_a_purge_by_time_takes_what_is_older(http, pump, clock, aged):
    at = moment((clock.now - 43_200) * 1000)
    answer = http.post("/api/v1/purge", {"older_than": at, "confirm": True})
    assert answer.json()["older_than"] == at
    pump.run()

    assert http.get(f"/api/v1/purges/{answer.json()['id']}").json()["events"] == 2


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"older_than": "5m", "confirm": True},
        {"older_than": "soon", "confirm": True},
        {"older_than": "1d", "confirm": "yes"},
        {"older_than": "1d", "confirm": 1},
        {"older_than": "1d", "confirm": True, "all": True},
    ],
)
def test_a_purge_that_makes_no_sense_is_refused(http, platform, aged, wish):
    assert http.post("/api/v1/purge", wish).status == 400
    assert len(listed(platform)) == 3


def test_a_purge_beyond_the_sweep_is_a_conflict(http, platform, clock):
    platform.relay.catch_up()
    clock.tick(86_400)

    answer = http.post("/api/v1/purge", {"older_than": "1h", "confirm": True})

    assert answer.status == 409
    assert "swept_until" in answer.json()["error"]["details"]


def test_a_purge_that_never_was_is_not_found(http):
    assert http.get("/api/v1/purges/prg_none").status == 404
