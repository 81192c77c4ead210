"""Publishing: one commit, one AWS call, large payloads elsewhere."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest

from eventyard.core.errors import PayloadTooLargeError
from tests.steps import bearer, greeted, ids, listed, publish

LARGE = {"text": "x" * 200_001}


def log_items(platform):
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=platform.settings.table)
    )
    items = [item for page in pages for item in page["Items"]]
    return [item for item in items if item["pk"]["S"].startswith("log#")]


def sent_to_queues(platform):
    """Every text that goes to SNS or SQS from here on."""
    texts = []

    def note(params: Any, **_: Any) -> None:
        texts.extend(_texts(params))

    for service in ("sns", "sqs"):
        platform.aws.session.register(f"provide-client-params.{service}.*", note)
    return texts


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [text for part in parts for text in _texts(part)] if parts else []


def objects(platform):
    found = boto3.client("s3").list_objects_v2(Bucket=platform.settings.bucket)
    return [one["Key"] for one in found.get("Contents", [])]


@pytest.mark.parametrize("number", [1, 2, 100])
def test_a_publish_is_one_aws_call_however_many_events(platform, calls, number):
    publish(platform, *[{"type": "a", "payload": {"n": n}} for n in range(number)])

    assert calls.made == ["PutItem"]
    assert {"s3", "sns", "sqs"}.isdisjoint(platform.aws.__dict__)


def test_a_publish_over_http_is_one_aws_call(http, platform, calls):
    http.post("/api/v1/events", [{"type": "a"}, {"type": "b"}])

    assert calls.made == ["PutItem"]
    assert {"s3", "sns", "sqs"}.isdisjoint(platform.aws.__dict__)


def test_a_known_key_costs_a_publish_no_further_call(http, locked, calls):
    bearer(http, "events:publish")
    http.post("/api/v1/events", {"type": "a"})
    calls.clear()

    told = http.post("/api/v1/events", {"type": "a"})

    assert told.status == 201
    assert calls.made == ["PutItem"]


def test_a_commit_is_one_item(platform):
    publish(platform, {"type": "a"}, {"type": "b"}, {"type": "c"})

    (item,) = log_items(platform)
    assert item["n"] == {"N": "3"}
    assert item["by"] == {"S": "tester"}
    assert [e["type"] for e in json.loads(item["events"]["S"])] == ["a", "b", "c"]


def test_a_commit_ends_with_its_retention(platform, clock):
    publish(platform, {"type": "a"})

    (item,) = log_items(platform)
    month = platform.settings.retention_days * 86_400
    assert int(item["ttl"]["N"]) == clock.now + month


def test_a_commit_whose_append_fails_leaves_nothing(platform):
    def down(item):
        raise ConnectionError("the table is away")

    platform.table.put_new = down

    with pytest.raises(ConnectionError):
        publish(platform, {"type": "a"}, {"type": "b"})

    assert log_items(platform) == []


def test_a_large_payload_rests_in_s3_and_comes_back_whole(platform):
    (told,) = publish(platform, {"type": "a", "payload": LARGE})

    (item,) = log_items(platform)
    assert len(item["events"]["S"]) < 1_000
    assert len(objects(platform)) == 1
    assert platform.events.get(told.event_id).payload == LARGE
    assert [event.payload for event in listed(platform)] == [LARGE]
    assert platform.events.get(told.event_id).dataref is None


def test_a_large_payload_is_large_by_its_bytes(platform):
    umlauts = "ü" * 100_001

    (told,) = publish(platform, {"type": "a", "payload": umlauts})

    assert len(objects(platform)) == 1
    assert platform.events.get(told.event_id).payload == umlauts


def test_only_the_large_payloads_of_a_commit_go_to_s3(platform):
    told = publish(
        platform,
        {"type": "a", "payload": "small"},
        {"type": "b", "payload": LARGE},
        {"type": "c", "payload": "small too"},
    )

    (item,) = log_items(platform)
    stored = json.loads(item["events"]["S"])
    assert [event.get("payload") for event in stored] == ["small", None, "small too"]
    whole = [platform.events.get(one).payload for one in ids(told)]
    assert whole == ["small", LARGE, "small too"]


def test_a_live_connection_is_told_where_a_large_payload_lies(platform, pump, gateway):
    greeted(pump, events="*")
    publish(platform, {"type": "a", "payload": LARGE})

    pump.run()

    *_, event = gateway.frames("c1")
    assert event["type"] == "a"
    assert event["data"] is None
    assert event["dataref"] == f"api/v1/events/{event['event_id']}"
    assert platform.events.get(event["event_id"]).payload == LARGE


def test_a_large_event_cannot_point_elsewhere_too(platform):
    with pytest.raises(PayloadTooLargeError):
        publish(platform, {"type": "a", "payload": LARGE, "dataref": "s3://mine/1"})

    assert log_items(platform) == []
    assert objects(platform) == []


def test_a_commit_of_many_small_events_goes_to_s3_whole(platform, pump, gateway):
    greeted(pump, events="*", frames="batch")
    sent = [{"type": "a", "payload": {"n": n, "x": "y" * 7_000}} for n in range(60)]

    publish(platform, *sent)
    pump.run()

    (item,) = log_items(platform)
    assert "events" not in item
    assert len(objects(platform)) == 1
    payloads = [one["payload"] for one in sent]
    assert [event.payload for event in listed(platform)] == payloads[::-1]
    _, *events = gateway.frames("c1")
    assert [event["data"] for event in events] == payloads


@pytest.mark.parametrize("fill", ['"', "\\", "ü", "\u0001"])
def test_the_largest_event_that_stays_inline_fits_a_message(
    platform, pump, gateway, fill
):
    greeted(pump, events="*")
    text = json.dumps(fill, ensure_ascii=False)[1:-1]
    weight = len(text.encode())
    sent = {
        "type": "t" * 256,
        "payload": fill * (199_990 // weight),
        "source": "s" * 256,
        # No CloudEvents name: it travels as JSON within a JSON string.
        "the_note": fill * (31_900 // weight),
    }

    publish(platform, sent)
    answer = pump.relay()
    pump.run()

    assert answer == {"batchItemFailures": []}
    assert gateway.frames("c1")[-1]["attributes"]["the_note"] == sent["the_note"]


@pytest.mark.parametrize("odd", ["\ufffe", "\uffff", "\u0001", "\x7f", "😀"])
def test_text_that_queues_refuse_arrives_all_the_same(platform, pump, gateway, odd):
    sent = sent_to_queues(platform)
    greeted(pump, events="*")

    publish(platform, {"type": "a", "payload": odd, "source": f"s{odd}"})
    pump.run()

    assert gateway.frames("c1")[-1]["data"] == odd
    assert gateway.frames("c1")[-1]["source"] == f"s{odd}"
    assert any('"type":"a"' in text for text in sent)
    refused = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
    assert [text for text in sent if refused.search(text)] == []
