"""What an operator does with queues: look, redrive, throw away."""

from __future__ import annotations

import boto3
import pytest

from eventyard.core.errors import NotFoundError
from tests.steps import greeted, publish


def described(platform):
    return {queue["name"]: queue for queue in platform.queues.all()}


def bury(platform, number, name="routing"):
    for n in range(number):
        platform._dead.bury(name, f"body {n}", f"reason {n}")


def bodies(letters):
    return sorted(letter["body"] for letter in letters)


def test_every_queue_is_described(platform):
    quiet = {"waiting": 0, "in_flight": 0, "delayed": 0, "dead": 0}

    assert platform.queues.all() == [
        {"name": name, **quiet}
        for name in (
            *("relay", "routing", "live", "deliveries", "urgent", "chores"),
            *("pulls", "insights", "jobs", "scraping"),
        )
    ]


def test_what_waits_is_in_flight_or_died_is_counted(platform, pump):
    publish(platform, {"type": "a"}, {"type": "b"}, {"type": "c"})
    pump.relay()
    bury(platform, 2)
    assert described(platform)["routing"]["waiting"] == 3

    pump.messages("routing")

    assert described(platform)["routing"] == {
        "name": "routing",
        "waiting": 0,
        "in_flight": 3,
        "delayed": 0,
        "dead": 2,
    }
    assert platform.queues.depth() == 3


def test_dead_letters_are_shown_with_their_reason(platform):
    bury(platform, 1)

    (letter,) = platform.queues.dead_letters("routing", 10)

    assert letter.keys() == {"id", "sent_at", "reason", "body"}
    assert (letter["body"], letter["reason"]) == ("body 0", "reason 0")


def test_a_letter_that_lambda_gave_up_says_how_often_it_failed(platform):
    boto3.client("sqs").send_message(
        QueueUrl=platform.settings.routing_dead_url, MessageBody="x"
    )

    (letter,) = platform.queues.dead_letters("routing", 10)

    assert letter["reason"].startswith("failed 1 times")


def test_looking_at_dead_letters_takes_none_away(platform):
    bury(platform, 13)

    first = platform.queues.dead_letters("routing", 100)
    again = platform.queues.dead_letters("routing", 100)

    assert len(first) == 13
    assert bodies(first) == bodies(again)


def test_no_more_letters_are_shown_than_asked_for(platform):
    bury(platform, 5)

    assert len(platform.queues.dead_letters("routing", 3)) == 3


def test_purging_throws_away_as_many_as_asked_for(platform):
    bury(platform, 5)

    assert platform.queues.purge("routing", 2) == {"queue": "routing", "purged": 2}
    assert platform.queues.purge("routing", 100)["purged"] == 3
    assert described(platform)["routing"]["dead"] == 0


def test_a_redriven_message_is_delivered(platform, pump, gateway):
    greeted(pump, events="*")
    publish(platform, {"type": "a"})
    pump.relay()
    (record,) = pump.messages("routing")
    platform._dead.bury("routing", record["body"], "a fault of yesterday")

    answer = platform.queues.redrive("routing", 10)
    pump.run()

    assert answer == {"queue": "routing", "redriven": 1, "failed": []}
    assert platform.queues.dead_letters("routing", 10) == []
    assert [frame["type"] for frame in gateway.frames("c1")[1:]] == ["a"]


def test_redriving_live_work_does_it(platform, pump, gateway):
    from tests.steps import connect

    connect(platform)
    (record,) = pump.messages("live")
    boto3.client("sqs").delete_message(
        QueueUrl=platform.settings.live_queue_url,
        ReceiptHandle=record["receiptHandle"],
    )
    platform._dead.bury("live", record["body"], "a fault of yesterday")

    platform.queues.redrive("live", 10)
    pump.run()

    assert gateway.frames("c1")[0]["type"] == "connection.established"


def test_a_redriven_commit_goes_to_the_topic_again(platform, pump, gateway):
    greeted(pump, events="*")
    publish(platform, {"type": "large", "payload": "x" * 351_000})
    publish(platform, *[{"type": "a", "payload": "x" * 9_000} for _ in range(40)])
    bucket = boto3.resource("s3").Bucket(platform.settings.bucket)
    kept = {o.key: o.get()["Body"].read() for o in bucket.objects.all()}
    bucket.objects.all().delete()
    pump.run()
    assert len(platform.queues.dead_letters("relay", 10)) == 1
    for key, content in kept.items():  # its cause is mended
        bucket.put_object(Key=key, Body=content)

    answer = platform.queues.redrive("relay", 10)
    pump.run()

    assert answer == {"queue": "relay", "redriven": 1, "failed": []}
    assert len(gateway.frames("c1")) == 1 + 1 + 40
    assert platform.queues.dead_letters("relay", 10) == []


def test_what_cannot_be_redriven_stays_and_says_why(platform, pump):
    key = platform.log.new_key()
    platform.table.put(
        {"pk": platform.log.partition(key), "sk": key, "n": 1, "events": "{"}
    )
    pump.relay()
    platform._dead.bury("relay", {"commit": {"pk": "log#1#0", "sk": "x"}}, "gone")
    platform._dead.bury("relay", "no json", "odd")

    answer = platform.queues.redrive("relay", 10)

    assert answer["redriven"] == 0
    assert len(answer["failed"]) == 3
    assert all(failure["reason"] for failure in answer["failed"])
    assert described(platform)["relay"]["dead"] == 3


def test_a_letter_larger_than_a_message_keeps_its_beginning(platform):
    platform._dead.bury("routing", "x" * 300_000, "r" * 5_000)

    (letter,) = platform.queues.dead_letters("routing", 1)

    assert letter["body"] == "x" * 260_000
    assert letter["reason"] == "r" * 1_000


@pytest.mark.parametrize("act", ["dead_letters", "redrive", "purge"])
def test_a_queue_that_is_none_is_not_found(platform, act):
    with pytest.raises(NotFoundError, match="relay, routing, live"):
        getattr(platform.queues, act)("nothing", 10)


def test_a_note_that_aws_gave_up_a_stream_batch_is_done_with_by_redriving(platform):
    """The sweep relays what was in it; the note names no commits."""
    note = {
        "requestContext": {"condition": "RetriesExhausted"},
        "DDBStreamBatchInfo": {},
    }
    platform._dead.bury("relay", note, "as Lambda leaves it")

    told = platform.queues.redrive("relay", 10)

    assert told == {"queue": "relay", "redriven": 1, "failed": []}
    assert platform.queues.dead_letters("relay", 10) == []
