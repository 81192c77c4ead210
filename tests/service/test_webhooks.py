"""Webhooks, from a published event to a receiver on loopback."""

from __future__ import annotations

import time

import pytest

from chalicelib.auth import ANYBODY
from tests.receiver import Receiver
from tests.steps import counters, due, ids, listed, publish, row_of, subscribe

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 40


def test_an_event_that_matches_arrives_signed_and_one_that_does_not_is_counted(
    platform, pump, receiver
):
    made = subscribe(
        platform,
        receiver.url,
        topics=["user.*"],
        filter={"priority": {"$gte": 7}},
        secret=SECRET,
    )

    told = publish(
        platform,
        {"type": "user.created", "payload": {"n": 1}, "priority": 7},
        {"type": "user.created", "payload": {"n": 2}, "priority": 6},
        {"type": "order.placed", "payload": {"n": 3}, "priority": 9},
    )
    pump.run()

    (one,) = receiver.received
    one.verify(SECRET)
    assert one.event["id"] == ids(told)[0]
    assert one.event["data"] == {"n": 1}
    assert one.headers["content-type"] == "application/cloudevents+json"
    assert counters(platform, made) == {
        "matched": 1,
        "delivered": 1,
        "filtered_out": 1,
        "failed": 0,
        "dead": 0,
        "expired": 0,
        "skipped": 0,
        "repeated": 0,
        "waiting": 0,
    }


def test_a_receiver_that_fails_three_times_gets_the_event_at_the_fourth(
    platform, pump, receiver, clock
):
    receiver.reaction = lambda number, _: (500 if number <= 3 else 200, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": [0, 0, 0]})

    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    assert receiver.ids() == [event_id] * 4
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    row = row_of(platform, event_id, made)
    assert row.status == "delivered"
    assert [attempt["status"] for attempt in row.attempts] == [500, 500, 500, 200]
    assert counters(platform, made)["failed"] == 3


def test_an_event_that_never_gets_through_is_a_dead_letter_with_each_attempt(
    platform, pump, receiver, clock
):
    receiver.reaction = lambda *_: (503, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": [0, 0]})

    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    (letter,), _ = platform.subscribed.dead_letters.page(ANYBODY, None, None, 10)
    assert letter.event_id == event_id
    assert [a["error"] for a in letter.attempts] == ["the receiver answered 503"] * 3
    assert counters(platform, made)["dead"] == 1
    assert counters(platform, made)["waiting"] == 0


def test_waits_follow_the_schedule_and_those_over_a_quarter_of_an_hour_are_kept_as_rows(
    platform, pump, receiver, clock
):
    receiver.reaction = lambda *_: (500, {})
    made = subscribe(
        platform, receiver.url, retry={"schedule_s": [3600, 7200], "jitter": 0}
    )
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()
    assert row_of(platform, event_id, made).next_at == clock.now + 3600

    clock.now += 3599
    assert due(platform, pump) == 0
    clock.now += 2
    assert due(platform, pump) == 1

    assert len(receiver.received) == 2
    assert row_of(platform, event_id, made).next_at == clock.now + 7200
    receiver.reaction = lambda *_: (200, {})
    clock.now += 7201
    due(platform, pump)
    assert row_of(platform, event_id, made).status == "delivered"


def test_jitter_stays_within_its_part_of_the_wait(platform, pump, receiver, clock):
    receiver.reaction = lambda *_: (500, {})
    made = subscribe(
        platform, receiver.url, retry={"schedule_s": [1000], "jitter": 0.2}
    )
    told = publish(platform, *({"type": "a.b", "payload": {}} for _ in range(12)))
    pump.run()

    waits = {row_of(platform, one, made).next_at - clock.now for one in ids(told)}
    assert len(waits) > 6
    assert all(800 <= wait <= 1200 for wait in waits)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("1", 5), ("later", 5), ("999999999", 86_400)],
)
def test_retry_after_lengthens_the_wait_and_never_shortens_it(
    platform, pump, receiver, clock, header, seconds
):
    receiver.reaction = lambda *_: (429, {"Retry-After": header})
    made = subscribe(platform, receiver.url, retry={"schedule_s": [5], "jitter": 0})
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.queue("chores")
    pump.relay()
    pump.queue("routing")
    pump.queue("deliveries")

    assert row_of(platform, event_id, made).next_at == clock.now + seconds


def test_retry_after_may_be_a_date(platform, pump, receiver, clock):
    receiver.reaction = lambda *_: (
        503,
        {
            "Retry-After": time.strftime(
                "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(clock.now + 5000)
            )
        },
    )
    made = subscribe(platform, receiver.url, retry={"schedule_s": [5]})
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    assert row_of(platform, event_id, made).next_at == clock.now + 5000


def test_410_disables_and_nothing_is_lost_when_it_is_resumed(platform, pump, receiver):
    receiver.reaction = lambda *_: (410, {})
    made = subscribe(platform, receiver.url)
    first = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    stopped = platform.subscribed.store.get(made.id)
    assert (stopped.state, stopped.reason) == (
        "DISABLED",
        "410: the receiver wants nothing more",
    )
    told = [e for e in listed(platform) if e.type == "eventyard.subscription.disabled"]
    assert [e.payload["id"] for e in told] == [made.id]

    second = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()
    assert len(receiver.received) == 1
    receiver.reaction = lambda *_: (200, {})
    platform.subscribed.service.resume(made.id, "last_processed", ANYBODY)
    pump.run()

    assert set(receiver.ids()) == {*first, *second}
    assert counters(platform, made)["waiting"] == 0


def test_a_target_that_fails_for_days_is_disabled(platform, pump, receiver, clock):
    receiver.reaction = lambda *_: (500, {})
    made = subscribe(
        platform,
        receiver.url,
        retry={"schedule_s": [4000] * 5, "jitter": 0, "disable_after_s": 6000},
    )
    publish(platform, {"type": "a.b", "payload": {}})
    pump.run()
    clock.now += 4001
    due(platform, pump)
    assert platform.subscribed.store.get(made.id).state == "RUNNING"
    clock.now += 4001
    due(platform, pump)

    stopped = platform.subscribed.store.get(made.id)
    assert stopped.state == "DISABLED"
    assert "no success in" in stopped.reason


def test_one_success_begins_the_count_of_failing_anew(platform, pump, receiver, clock):
    receiver.reaction = lambda number, _: (200 if number == 2 else 500, {})
    made = subscribe(
        platform,
        receiver.url,
        retry={"schedule_s": [], "disable_after_s": 6000},
    )
    for _ in range(3):
        publish(platform, {"type": "a.b", "payload": {}})
        pump.run()
        clock.now += 4000

    assert len(receiver.received) == 3
    assert platform.subscribed.store.get(made.id).state == "RUNNING"


def test_a_receiver_that_hangs_is_given_up_after_the_timeout(platform, pump, receiver):
    receiver.reaction = receiver.hang
    made = subscribe(platform, receiver.url, retry={"schedule_s": [], "timeout_s": 0.2})
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    row = row_of(platform, event_id, made)
    assert row.status == "dead"
    assert row.attempts[0]["error"] == "no answer within 0.2 s"


def test_a_redirect_is_a_failure_and_is_not_followed(platform, pump, receiver):
    where = "http://169.254.169.254/latest/meta-data"
    receiver.reaction = lambda *_: (302, {"Location": where})
    made = subscribe(platform, receiver.url, retry={"schedule_s": []})
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    row = row_of(platform, event_id, made)
    assert len(receiver.received) == 1
    assert row.attempts[0]["status"] == 302
    assert where in row.attempts[0]["error"]


def test_a_name_that_moved_to_a_private_address_is_not_called(platform, pump, receiver):
    made = subscribe(platform, receiver.url, retry={"schedule_s": []})
    platform.subscribed.guard.__init__("")  # what was allowed is no longer
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    row = row_of(platform, event_id, made)
    assert receiver.received == []
    assert "not a public address" in row.attempts[0]["error"]


def test_both_secrets_sign_while_one_replaces_the_other(
    platform, pump, receiver, clock
):
    made = subscribe(platform, receiver.url, secret=SECRET)
    platform.subscribed.service.rotate(made.id, OTHER, 3600, ANYBODY)
    receiver.reaction = lambda number, _: (204, {})
    publish(platform, {"type": "a.b", "payload": {"n": 1}})
    pump.run()
    clock.now += 3601
    publish(platform, {"type": "a.b", "payload": {"n": 2}})
    pump.run()

    first, second = receiver.received
    assert len(first.headers["webhook-signature"].split(" ")) == 2
    assert len(second.headers["webhook-signature"].split(" ")) == 1


def test_secrets_are_rotated_without_a_delivery_that_a_receiver_must_refuse(
    platform, pump, receiver
):
    known = [SECRET]
    made = subscribe(platform, receiver.url, secret=SECRET, retry={"schedule_s": []})

    def check(_, request):
        for secret in known:
            try:
                request.verify(secret)
            except Exception:  # noqa: BLE001 - the other one may fit
                continue
            return 204, {}
        return 401, {}

    receiver.reaction = check
    for step in range(3):
        if step == 1:
            platform.subscribed.service.rotate(made.id, OTHER, 3600, ANYBODY)
        if step == 2:
            known[:] = [OTHER]  # the receiver follows later, at its own time
        publish(platform, {"type": "a.b", "payload": {"n": step}})
        pump.run()

    assert counters(platform, made)["delivered"] == 3
    assert counters(platform, made)["failed"] == 0


def test_a_batch_is_one_request_with_an_array(platform, pump, receiver):
    subscribe(platform, receiver.url, batch_size=10, secret=SECRET)
    told = publish(platform, *({"type": "a.b", "payload": {"n": n}} for n in range(25)))
    pump.run()

    assert sorted(len(one.event) for one in receiver.received) == [5, 10, 10]
    assert sorted(receiver.ids()) == sorted(ids(told))
    assert receiver.received[0].headers["content-type"] == (
        "application/cloudevents-batch+json"
    )
    receiver.received[0].verify(SECRET)


def test_a_large_payload_arrives_whole(platform, pump, receiver):
    subscribe(platform, receiver.url)
    publish(platform, {"type": "a.b", "payload": {"text": "x" * 300_000}})
    pump.run()

    assert len(receiver.received[0].event["data"]["text"]) == 300_000
    assert "dataref" not in receiver.received[0].event


def test_a_message_that_comes_twice_is_delivered_once(platform, pump, receiver):
    made = subscribe(platform, receiver.url)
    publish(platform, {"type": "a.b", "payload": {}})
    pump.relay()
    pump.queue("routing")
    records = pump.messages("deliveries")

    for _ in range(3):
        platform.subscribed.work.handle({"Records": records})

    assert len(receiver.received) == 1
    assert counters(platform, made)["repeated"] == 2


def test_a_commit_that_is_routed_twice_is_delivered_once(platform, pump, receiver):
    made = subscribe(platform, receiver.url)
    publish(platform, {"type": "a.b", "payload": {}}, {"type": "a.c", "payload": {}})
    pump.relay()
    records = pump.messages("routing")
    platform.subscribed.dispatcher.offer(*_routed(records))
    platform.subscribed.dispatcher.offer(*_routed(records))
    pump.run()

    assert len(receiver.received) == 2
    assert counters(platform, made)["waiting"] == 0


def _routed(records):
    from chalicelib.wire import decode_batch

    events = [placed for record in records for placed in decode_batch(record["body"])]
    return events, {("version", "subscriptions"): {"n": 1}}


def test_a_crash_after_the_attempt_repeats_it_and_ends_in_one_effect(
    platform, pump, receiver, monkeypatch
):
    made = subscribe(platform, receiver.url)
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.relay()
    pump.queue("routing")
    records = pump.messages("deliveries")
    rows = type(platform.subscribed.rows)
    write = rows.write

    def die(*_):
        monkeypatch.setattr(rows, "write", write)
        raise SystemExit

    monkeypatch.setattr(rows, "write", die)
    with pytest.raises(SystemExit):
        platform.subscribed.work.handle({"Records": records})
    platform.subscribed.work.handle({"Records": records})
    platform.subscribed.work.handle({"Records": records})

    assert receiver.ids() == [event_id] * 2
    assert row_of(platform, event_id, made).status == "delivered"


def test_poison_in_the_queue_is_put_aside_and_blocks_nobody(platform, pump, receiver):
    subscribe(platform, receiver.url)
    publish(platform, {"type": "a.b", "payload": {}})
    pump.relay()
    pump.queue("routing")
    good = pump.messages("deliveries")
    bad = [
        {"messageId": f"bad{n}", "body": body, "receiptHandle": ""}
        for n, body in enumerate(["{", "[]", '{"subscription": 1, "events": [3]}'])
    ]

    answer = platform.subscribed.work.handle({"Records": [*bad, *good]})

    assert answer == {"batchItemFailures": []}
    assert len(receiver.received) == 1
    assert len(platform.queues.dead_letters("deliveries", 10)) == 3


def test_an_expired_event_is_not_sent_and_is_told_as_expired(
    platform, pump, receiver, clock
):
    retry = {"schedule_s": [1000], "jitter": 0}
    made = subscribe(platform, receiver.url, retry=retry)
    receiver.reaction = lambda *_: (500, {})
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}, "ttl": 500}))
    pump.run()
    clock.now += 1300
    due(platform, pump)

    assert len(receiver.received) == 1
    assert row_of(platform, event_id, made).status == "expired"


def test_an_addressed_event_goes_to_the_subscription_of_that_name_alone(
    platform, pump, receiver
):
    with Receiver() as named:
        subscribe(platform, named.url, name="payments")
        subscribe(platform, receiver.url)
        publish(platform, {"type": "a.b", "payload": {}, "target": "payments"})
        pump.run()

    assert len(named.received) == 1
    assert receiver.received == []


def test_the_platforms_own_events_go_to_who_names_them(platform, pump, receiver):
    with Receiver() as operator:
        subscribe(platform, operator.url, topics=["eventyard.**"])
        subscribe(platform, receiver.url, topics=["**"])
        pump.run()

    assert receiver.received == []
    assert [one.event["type"] for one in operator.received] == [
        "eventyard.subscription.created"
    ] * 2


def test_a_removed_subscription_gets_nothing_more(platform, pump, receiver):
    made = subscribe(platform, receiver.url)
    publish(platform, {"type": "a.b", "payload": {}})
    pump.relay()
    pump.queue("routing")
    platform.subscribed.service.remove(made.id, ANYBODY)
    pump.run()

    assert receiver.received == []


def test_an_event_accepted_after_the_subscription_is_matched_for_certain(
    platform, pump, receiver
):
    publish(platform, {"type": "a.b", "payload": {"n": 0}})
    pump.run()  # the router has compiled what there was: nothing
    subscribe(platform, receiver.url)
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {"n": 1}}))
    pump.run()

    assert receiver.ids() == [event_id]


def test_custom_headers_are_sent_and_cannot_take_the_place_of_ours(
    platform, pump, receiver
):
    subscribe(platform, receiver.url, headers={"Authorization": "Bearer x"})
    publish(platform, {"type": "a.b", "payload": {}})
    pump.run()

    assert receiver.received[0].headers["authorization"] == "Bearer x"
    assert receiver.received[0].headers["eventyard-attempt"] == "1"
    assert receiver.received[0].headers["eventyard-delivery"] == "live"


def test_delivering_a_commit_of_a_hundred_takes_few_calls(
    platform, pump, receiver, calls
):
    made = subscribe(platform, receiver.url)
    publish(platform, *({"type": "a.b", "payload": {"n": n}} for n in range(100)))
    pump.relay()
    calls.clear()
    pump.queue("routing")
    routed = calls.counted
    records = pump.messages("deliveries")
    calls.clear()
    platform.subscribed.work.handle({"Records": records})

    assert routed["SendMessageBatch"] == 1
    assert sum(routed.values()) <= 10
    assert len(receiver.received) == 100
    # Rows are read a hundred, and written 25, to a call; counters and traffic are one.
    assert calls.counted == {
        "BatchGetItem": 2,
        "BatchWriteItem": 4,
        "UpdateItem": 2,
    }
    assert counters(platform, made)["delivered"] == 100


def test_a_retry_that_comes_before_its_row_is_written_waits_for_it(
    platform, pump, receiver
):
    from chalicelib.subscriptions.courier import Parcel

    made = subscribe(platform, receiver.url)
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    place = platform.events.locate(event_id).place
    early = Parcel(made.id, places=(place,), tries=1)
    sent = []
    courier = platform.subscribed.courier
    courier.__class__ = _keeping(type(courier), sent)

    platform.subscribed.deliverer.deliver([early])

    assert receiver.received == []
    ((put_off,),) = sent
    assert (put_off.places, put_off.tries, put_off.early) == ((place,), 1, 1)
    platform.subscribed.deliverer.deliver([Parcel(made.id, (), (place,), 1, early=75)])
    assert receiver.ids() == [event_id]  # its writer is surely dead


def _keeping(kind, sent):
    class Keeping(kind):
        __slots__ = ()

        def send(self, parcels, delay_s=0):
            sent.append(tuple(parcels))

    return Keeping
