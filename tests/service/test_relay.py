"""From the log's stream to the topic: groups, receipts, and what fails alone."""

from __future__ import annotations

import json

import boto3
import pytest

from chalicelib.wire import decode_batch
from eventyard.core import ulid
from tests.steps import greeted, ids, publish


def taken(pump):
    """What the relay put into the routing queue: attributes of each message, and ids."""
    found = []
    for record in pump.messages("routing"):
        events = [placed.event for placed in decode_batch(record["body"])]
        found.append([event.id for event in events])
    return found


def published(platform):
    """The entries of every call to SNS from here on."""
    entries = []
    batch = platform.aws.sns.publish_batch

    def note(**request):
        entries.extend(request["PublishBatchRequestEntries"])
        return batch(**request)

    platform.aws.sns.publish_batch = note
    return entries


def refuse(platform, *types):
    """Let SNS refuse messages of these types, as it does: one by one."""
    batch = platform.aws.sns.publish_batch

    def refuse_some(**request):
        good, failed = [], []
        for entry in request["PublishBatchRequestEntries"]:
            bad = entry["MessageAttributes"]["type"]["StringValue"] in types
            (failed if bad else good).append(entry)
        if good:
            batch(**{**request, "PublishBatchRequestEntries": good})
        return {"Failed": [{"Id": e["Id"], "Code": "Busy"} for e in failed]}

    platform.aws.sns.publish_batch = refuse_some
    return batch


def write_raw(platform, **fields):
    key = platform.log.new_key()
    row = {"pk": platform.log.partition(key), "sk": key, "n": 1, "by": "x", **fields}
    platform.table.put(row)
    return row["sk"]


def receipts(platform):
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=platform.settings.table)
    )
    rows = [item for page in pages for item in page["Items"]]
    return [
        commit["S"]
        for item in rows
        if item["pk"]["S"].startswith("relayed#")
        for commit in item["commits"]["L"]
    ]


def dead(platform):
    return platform.queues.dead_letters("relay", 100)


def test_events_alike_in_type_source_and_priority_travel_together(platform, pump):
    entries = published(platform)
    told = ids(
        publish(
            platform,
            {"type": "a"},
            {"type": "b"},
            {"type": "a"},
            {"type": "a", "source": "s"},
            {"type": "a", "priority": 9},
        )
    )

    pump.relay()

    groups = [[event["id"] for event in json.loads(e["Message"])] for e in entries]
    assert sorted(groups) == sorted(
        [[told[0], told[2]], [told[1]], [told[3]], [told[4]]]
    )


def test_a_message_tells_its_type_source_and_priority_to_filter_policies(
    platform, pump
):
    entries = published(platform)
    publish(platform, {"type": "user.created", "source": "api", "priority": 8})
    publish(platform, {"type": "user.deleted"})

    pump.relay()

    first, second = [entry["MessageAttributes"] for entry in entries]
    assert first == {
        "type": {"DataType": "String", "StringValue": "user.created"},
        "source": {"DataType": "String", "StringValue": "api"},
        "priority": {"DataType": "Number", "StringValue": "8"},
    }
    assert second.keys() == {"type", "priority"}


def test_any_aws_consumer_can_filter_by_priority(platform, pump):
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    url = sqs.create_queue(QueueName="urgent")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    subscription = sns.subscribe(
        TopicArn=platform.settings.topic_arn,
        Protocol="sqs",
        Endpoint=arn["Attributes"]["QueueArn"],
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": '{"priority": [{"numeric": [">=", 7]}]}',
        },
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    publish(platform, {"type": "calm"}, {"type": "urgent", "priority": 9})

    pump.relay()

    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    sns.unsubscribe(SubscriptionArn=subscription)
    (event,) = json.loads(message["Body"])
    assert event["type"] == "urgent"
    assert event["specversion"] == "1.0"


def test_what_was_relayed_has_a_receipt(platform, pump):
    first = ids(publish(platform, {"type": "a"}, {"type": "b"}))
    second = ids(publish(platform, {"type": "c"}))

    answer = pump.relay()

    assert answer == {"batchItemFailures": []}
    keys = [one[0].removeprefix("evt_") for one in (first, second)]
    assert sorted(receipts(platform)) == sorted(keys)


def test_a_batch_of_one_minute_has_one_receipt_item(platform, pump, calls):
    for _ in range(5):
        publish(platform, {"type": "a"})
    calls.clear()

    pump.relay()

    assert calls.counted == {"PublishBatch": 1, "PutItem": 1}


def test_only_the_commits_that_sns_refused_are_reported(platform, pump):
    restore = refuse(platform, "bad")
    good = ids(publish(platform, {"type": "good"}))
    bad = ids(publish(platform, {"type": "good"}, {"type": "bad"}))
    last = ids(publish(platform, {"type": "good"}))
    records = pump.records()

    answer = pump.relay(records)

    number = records[1]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    keys = {one[0].removeprefix("evt_") for one in (good, last)}
    assert set(receipts(platform)) == keys
    platform.aws.sns.publish_batch = restore
    assert pump.relay([records[1]]) == {"batchItemFailures": []}
    assert bad[0].removeprefix("evt_") in receipts(platform)


def test_a_refused_commit_that_comes_again_reaches_its_listener_once_in_effect(
    platform, pump, gateway
):
    greeted(pump, events="*")
    restore = refuse(platform, "bad")
    publish(platform, {"type": "good"}, {"type": "bad"})
    records = pump.records()
    pump.relay(records)
    pump.run()
    platform.aws.sns.publish_batch = restore

    pump.relay(records)
    pump.run()

    assert [frame["type"] for frame in gateway.frames("c1")[1:]] == ["good", "bad"]


def test_sns_being_away_fails_the_whole_batch(platform, pump):
    def away(**_: object) -> None:
        raise ConnectionError("away")

    platform.aws.sns.publish_batch = away
    publish(platform, {"type": "a"})

    with pytest.raises(ConnectionError):
        pump.relay()
    assert receipts(platform) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"events": "{"},
        {"events": "5"},
        {"events": "[5]"},
        {"events": '[{"type":"no good"}]'},
        {},
    ],
)
def test_a_commit_that_cannot_be_read_is_buried_and_the_others_go_on(
    platform, pump, fields
):
    before = ids(publish(platform, {"type": "a"}))
    poison = write_raw(platform, **fields)
    after = ids(publish(platform, {"type": "b"}))

    answer = pump.relay()

    (letter,) = dead(platform)
    assert answer == {"batchItemFailures": []}
    assert json.loads(letter["body"])["commit"]["sk"] == poison
    assert "Error: " in letter["reason"]
    assert sorted(taken(pump)) == sorted([before, after])


def test_a_commit_under_a_key_that_is_none_is_buried_too(platform, pump):
    platform.table.put(
        {"pk": "log#0#0", "sk": "not-a-ulid", "n": 1, "events": '[{"type":"a"}]'}
    )
    after = ids(publish(platform, {"type": "b"}))

    answer = pump.relay()

    assert answer == {"batchItemFailures": []}
    assert len(dead(platform)) == 1
    assert taken(pump) == [after]


def test_a_buried_commit_is_not_tried_again_by_the_sweep(platform, pump, clock):
    write_raw(platform, events="{")
    pump.relay()
    clock.tick(30)

    assert platform.relay.catch_up() == 0
    assert len(dead(platform)) == 1


def test_a_commit_whose_s3_object_is_missing_is_buried(platform, pump):
    publish(platform, *[{"type": "a", "payload": "x" * 9_000} for _ in range(50)])
    boto3.resource("s3").Bucket(platform.settings.bucket).objects.all().delete()

    answer = pump.relay()

    (letter,) = dead(platform)
    assert answer == {"batchItemFailures": []}
    assert "MissingPayloadError" in letter["reason"]


def test_a_payload_in_s3_is_not_fetched_to_be_relayed(platform, pump, calls):
    publish(platform, {"type": "a", "payload": "x" * 200_001})
    calls.clear()

    pump.relay()

    assert "GetObject" not in calls.counted
    assert len(taken(pump)) == 1


def test_more_than_one_call_holds_is_split_over_several(platform, pump, calls):
    told = ids(publish(platform, *[{"type": f"t.{n}"} for n in range(25)]))
    calls.clear()

    pump.relay()

    assert calls.counted["PublishBatch"] == 3
    assert sorted(taken(pump) + taken(pump) + taken(pump)) == sorted(
        [one] for one in told
    )


def test_a_commit_larger_than_a_message_is_split_and_arrives_in_order(
    platform, pump, gateway
):
    greeted(pump, events="*", frames="batch")
    sent = [{"type": "a", "payload": [n, "x" * 30_000]} for n in range(11)]

    publish(platform, *sent)
    pump.run()

    numbers = [frame["data"][0] for frame in gateway.frames("c1")[1:]]
    assert numbers == list(range(11))


def test_messages_carry_the_place_of_each_event(platform, pump):
    told = ids(publish(platform, {"type": "a"}, {"type": "a"}))

    pump.relay()

    (record,) = pump.messages("routing")
    places = [placed.place for placed in decode_batch(record["body"])]
    assert [f"evt_{place}" for place in places] == told
    assert places == [places[0], ulid.add(places[0], 1)]


def test_a_message_that_sns_refuses_waits_with_the_reason_and_the_rest_goes_on(
    platform, pump
):
    """SNS refuses a whole call for one bad message."""
    good, bad = ids(publish(platform, {"type": "good"})), None
    bad = ids(publish(platform, {"type": "bad"}))
    real = platform.aws.sns.publish_batch

    def choosy(**request):
        entries = request["PublishBatchRequestEntries"]
        if any('"type":"bad"' in entry["Message"] for entry in entries):
            raise platform.aws.sns.exceptions.InvalidParameterException(
                {"Error": {"Code": "InvalidParameter", "Message": "no"}}, "PublishBatch"
            )
        return real(**request)

    platform.aws.sns.publish_batch = choosy

    assert pump.relay() == {"batchItemFailures": []}

    (letter,) = platform.queues.dead_letters("relay", 10)
    assert "RefusedError" in letter["reason"]
    assert bad[0].removeprefix("evt_") in letter["body"]
    bodies = [message["body"] for message in pump.messages("routing")]
    assert [good[0] in body for body in bodies] == [True]
    assert platform.relay.catch_up() == 0
