"""Subscriptions: made, changed, paused, resumed, limited."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY, Principal
from eventyard.core import ulid
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    SubscriptionError,
)
from tests.receiver import Receiver
from tests.stack import client
from tests.steps import counters, due, ids, listed, publish, row_of, subscribe

SHOP = Principal("shop", frozenset({"events:subscribe:order.*"}), "k1")


def verbs(platform):
    return platform.subscribed.service


def test_a_start_at_the_earliest_brings_everything_and_each_event_once(
    platform, pump, receiver
):
    told = [
        *ids(publish(platform, {"type": "a.b", "payload": {"n": 1}})),
        *ids(publish(platform, {"type": "a.b", "payload": {"n": 2}})),
    ]
    pump.run()
    made = subscribe(platform, receiver.url, start="earliest")
    told += ids(publish(platform, {"type": "a.b", "payload": {"n": 3}}))
    pump.run()

    assert sorted(receiver.ids()) == sorted(told)
    assert counters(platform, made)["waiting"] == 0


def test_a_start_at_an_event_begins_with_that_event(platform, pump, receiver):
    told = [ids(publish(platform, {"type": "a.b", "payload": {}}))[0] for _ in range(3)]
    subscribe(platform, receiver.url, start=told[1])
    pump.run()

    assert set(receiver.ids()) == set(told[1:])


def test_a_start_at_a_time_begins_there(platform, pump, receiver, clock):
    publish(platform, {"type": "a.b", "payload": {}})
    clock.now += 100
    (wanted,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    from datetime import UTC, datetime

    start = datetime.fromtimestamp(clock.now - 50, UTC).isoformat()
    clock.now += 100
    subscribe(platform, receiver.url, start=start)
    pump.run()

    assert receiver.ids() == [wanted]


@pytest.mark.parametrize("start", ["yesterday", "evt_" + "0" * 26, ""])
def test_a_start_that_is_nowhere_is_refused(platform, receiver, start):
    with pytest.raises(InvalidRequestError, match="start must be"):
        subscribe(platform, receiver.url, start=start)
    assert list(platform.subscribed.store.all()) == []


def test_a_pause_loses_nothing_and_resuming_goes_on_from_the_last_processed(
    platform, pump, receiver
):
    made = subscribe(platform, receiver.url)
    first = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.relay()
    pump.queue("routing")  # it is on its way when the pause comes
    verbs(platform).pause(made.id, "maintenance", ANYBODY)
    second = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()
    assert receiver.received == []
    assert row_of(platform, first[0], made).status == "held"

    verbs(platform).resume(made.id, "last_processed", ANYBODY)
    third = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    assert sorted(receiver.ids()) == sorted([*first, *second, *third])
    assert counters(platform, made)["waiting"] == 0


def test_resuming_from_the_latest_skips_what_came_meanwhile_and_says_so(
    platform, pump, receiver, clock
):
    made = subscribe(platform, receiver.url)
    first = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.relay()
    pump.queue("routing")
    verbs(platform).pause(made.id, "x", ANYBODY)
    publish(platform, {"type": "a.b", "payload": {}})
    pump.run()
    clock.now += 10

    verbs(platform).resume(made.id, "latest", ANYBODY)
    third = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    assert receiver.ids() == third
    assert row_of(platform, first[0], made).status == "skipped"
    assert counters(platform, made)["waiting"] == 0


def test_retries_that_fall_into_a_pause_are_made_after_it(
    platform, pump, receiver, clock
):
    receiver.reaction = lambda number, _: (500 if number == 1 else 200, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": [2000], "jitter": 0})
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()
    verbs(platform).pause(made.id, "x", ANYBODY)
    clock.now += 2001
    due(platform, pump)
    assert row_of(platform, event_id, made).status == "held"

    verbs(platform).resume(made.id, "last_processed", ANYBODY)
    pump.run()

    row = row_of(platform, event_id, made)
    assert (row.status, len(row.attempts)) == ("delivered", 2)


def test_pausing_and_resuming_twice_is_the_same_as_once(platform, receiver):
    made = subscribe(platform, receiver.url)
    once = verbs(platform).pause(made.id, "x", ANYBODY)
    assert verbs(platform).pause(made.id, "y", ANYBODY) == once
    back = verbs(platform).resume(made.id, "latest", ANYBODY)
    assert verbs(platform).resume(made.id, "latest", ANYBODY) == back
    assert back.state == "RUNNING"


def test_a_change_counts_for_what_is_accepted_after_it(platform, pump, receiver):
    made = subscribe(platform, receiver.url, topics=["a.*"])
    verbs(platform).change(
        made.id, {"topics": ["b.*"], "filter": {"payload.n": {"$gt": 1}}}, ANYBODY
    )
    told = publish(
        platform,
        {"type": "a.x", "payload": {"n": 5}},
        {"type": "b.x", "payload": {"n": 1}},
        {"type": "b.x", "payload": {"n": 2}},
    )
    pump.run()

    assert receiver.ids() == [ids(told)[2]]


def test_a_change_leaves_what_it_does_not_name(platform, receiver):
    made = subscribe(
        platform, receiver.url, retry={"schedule_s": [1, 2], "timeout_s": 3}
    )
    after = verbs(platform).change(made.id, {"retry": {"jitter": 0.5}}, ANYBODY)

    assert after.retry.schedule_s == (1, 2)
    assert after.retry.timeout_s == 3
    assert after.retry.jitter == 0.5
    assert after.target == made.target


def test_two_changes_at_once_do_not_mix(platform, receiver):
    made = subscribe(platform, receiver.url)
    store = platform.subscribed.store
    one, other = store.get(made.id), store.get(made.id)
    store.save(one.changed(reason="one"))

    with pytest.raises(ConflictError):
        store.save(other.changed(reason="other"))
    assert store.get(made.id).reason == "one"


def test_a_caller_subscribes_only_within_the_scopes_of_their_key(platform, receiver):
    wish = {"target": {"type": "webhook", "url": receiver.url}}
    made, _ = verbs(platform).create({**wish, "topics": ["order.paid"]}, SHOP)

    with pytest.raises(PermissionDeniedError, match=r"events:subscribe:\*\*"):
        verbs(platform).create({**wish, "topics": ["**"]}, SHOP)
    with pytest.raises(PermissionDeniedError):
        verbs(platform).change(made.id, {"topics": ["user.*"]}, SHOP)
    assert [one.id for one in platform.subscribed.store.all()] == [made.id]


def test_a_caller_sees_only_what_their_scopes_cover(platform, receiver):
    visible = subscribe(platform, receiver.url, topics=["order.*"])
    hidden = subscribe(platform, receiver.url, topics=["**"])

    page, _ = verbs(platform).page(SHOP, None, 10)
    assert [one.id for one in page] == [visible.id]
    for verb in (verbs(platform).get, verbs(platform).remove, verbs(platform).test):
        with pytest.raises(NotFoundError):
            verb(hidden.id, SHOP)


def test_pages_go_through_all_of_them(platform, receiver):
    made = [subscribe(platform, receiver.url).id for _ in range(5)]
    found, cursor = [], None
    while True:
        page, cursor = verbs(platform).page(ANYBODY, cursor, 2)
        found += [one.id for one in page]
        if cursor is None:
            break
    assert found == made


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"topics": []}, "topics"),
        ({"topics": ["a..b"]}, "empty segment"),
        ({"topics": ["a"] * 101}, "topics"),
        ({"filter": {"a": {"$near": 1}}}, "unknown operator"),
        ({"name": "x" * 65}, "name"),
        ({"headers": {"Host": "x"}}, "cannot be set"),
        ({"headers": {"webhook-id": "x"}}, "cannot be set"),
        ({"headers": {"X-A": "a\r\nb"}}, "printable"),
        ({"headers": {f"X-{n}": "" for n in range(21)}}, "at most 20"),
        ({"secret": "whsec_short"}, "whsec_"),
        ({"secret": "plain" * 10}, "whsec_"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    platform, receiver, wish, message
):
    with pytest.raises(SubscriptionError, match=message):
        subscribe(platform, receiver.url, **wish)
    assert list(platform.subscribed.store.all()) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://user:pass@127.0.0.1/",
        "ftp://127.0.0.1/",
        "http:///nowhere",
        "http://localhost:99999/",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_may_not_be_called_is_refused_at_once(platform, receiver, url):
    with pytest.raises(InvalidRequestError):
        subscribe(platform, url)


def test_a_queue_gets_cloudevents_with_attributes_to_filter_by(platform, pump):
    url = client("sqs").create_queue(QueueName="eventyard-target-shop")["QueueUrl"]
    wish = {
        "topics": ["a.*"],
        "target": {"type": "queue", "queue": "eventyard-target-shop"},
    }
    made, _ = verbs(platform).create({**wish, "batch_size": 20}, ANYBODY)
    told = publish(platform, *({"type": "a.b", "payload": {"n": n}} for n in range(12)))
    pump.run()

    got = []
    while (
        messages := client("sqs")
        .receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        .get("Messages")
    ):
        got += messages
    client("sqs").delete_queue(QueueUrl=url)
    assert len(got) == 12
    attributes = got[0]["MessageAttributes"]
    assert attributes["type"]["StringValue"] == "a.b"
    assert attributes["eventyard-subscription"]["StringValue"] == made.id
    assert counters(platform, made)["delivered"] == len(told)


def test_a_queue_that_went_away_ends_in_the_dead_letters(platform, pump):
    url = client("sqs").create_queue(QueueName="eventyard-target-gone")["QueueUrl"]
    wish = {
        "topics": ["a.*"],
        "target": {"type": "queue", "queue": "eventyard-target-gone"},
    }
    made, _ = verbs(platform).create({**wish, "retry": {"schedule_s": []}}, ANYBODY)
    client("sqs").delete_queue(QueueUrl=url)
    (event_id,) = ids(publish(platform, {"type": "a.b", "payload": {}}))
    pump.run()

    row = row_of(platform, event_id, made)
    assert row.status == "dead"
    assert "NonExistentQueue" in row.attempts[0]["error"]


@pytest.mark.parametrize(
    "name",
    [
        "other",
        "eventyard-test-routing",
        "eventyard-target-none",
        "eventyard-target-a/b",
    ],
)
def test_a_queue_that_may_not_be_used_is_refused(platform, name):
    wish = {"topics": ["a.*"], "target": {"type": "queue", "queue": name}}
    with pytest.raises(SubscriptionError, match="queue"):
        verbs(platform).create(wish, ANYBODY)


def test_a_rate_limit_spreads_a_burst_and_loses_none_of_it(
    platform, pump, receiver, clock
):
    made = subscribe(platform, receiver.url, rate_limit=0.0005)
    told = [ids(publish(platform, {"type": "a.b", "payload": {}}))[0] for _ in range(3)]
    pump.run()
    assert len(receiver.received) == 1
    moments = []
    for _ in range(12):
        clock.now += 500
        before = len(receiver.received)
        due(platform, pump)
        moments += [clock.now] * (len(receiver.received) - before)

    assert sorted(receiver.ids()) == sorted(told)
    assert moments == [moments[0], moments[0] + 2000]
    assert counters(platform, made)["waiting"] == 0


def test_a_concurrency_limit_holds_across_functions(platform, pump, receiver):
    made = subscribe(platform, receiver.url, concurrency=1)
    throttle = platform.subscribed.throttle
    taken = throttle.take_place(made.id, 1, "another function", 60)
    publish(platform, {"type": "a.b", "payload": {}})
    pump.relay()
    pump.queue("routing")
    pump.queue("deliveries")
    assert receiver.received == []

    throttle.give_back(made.id, taken, "another function")
    for _ in range(3):
        _take_delayed(pump)
    assert len(receiver.received) == 1


def _take_delayed(pump):
    # What was put off for a second or two is taken as soon as it is there.
    import time

    for _ in range(40):
        if pump.queue("deliveries"):
            return
        time.sleep(0.1)


def test_a_function_that_died_gives_its_place_back_in_time(platform, clock):
    throttle = platform.subscribed.throttle
    assert throttle.take_place("s", 1, "dead", 60)
    assert throttle.take_place("s", 1, "alive", 60) is None
    clock.now += 61
    assert throttle.take_place("s", 1, "alive", 60)


def test_urgent_events_travel_apart_and_overtake_a_backlog(platform, pump, receiver):
    subscribe(platform, receiver.url)
    slow = ids(publish(platform, *({"type": "a.b", "payload": {}} for _ in range(30))))
    urgent = ids(publish(platform, {"type": "a.b", "payload": {}, "priority": 8}))
    pump.relay()
    while pump.queue("routing"):
        pass
    pump.queue("urgent")
    assert receiver.ids() == urgent

    pump.run()
    assert set(receiver.ids()) == {*slow, *urgent}


def test_testing_a_target_sends_one_signed_event_and_counts_nothing(platform, receiver):
    made = subscribe(platform, receiver.url)
    event, outcome = verbs(platform).test(made.id, ANYBODY)

    assert outcome.delivered
    assert receiver.received[0].event["type"] == "eventyard.test"
    assert receiver.ids() == [event.id]
    receiver.received[0].verify(made.target.secrets[0].value)
    assert set(counters(platform, made).values()) == {0}


def test_changes_are_told_in_the_log_without_secrets(platform, receiver):
    made = subscribe(platform, receiver.url, headers={"Authorization": "Bearer hidden"})
    verbs(platform).pause(made.id, "x", ANYBODY)
    verbs(platform).resume(made.id, "latest", ANYBODY)
    verbs(platform).rotate(made.id, None, 60, ANYBODY)
    verbs(platform).remove(made.id, ANYBODY)

    told = [event for event in listed(platform) if event.source == "eventyard"]
    assert [event.type.removeprefix("eventyard.subscription.") for event in told][
        ::-1
    ] == [
        "created",
        "paused",
        "resumed",
        "secret_rotated",
        "removed",
    ]
    text = " ".join(event.to_json() for event in told)
    assert "hidden" not in text
    assert made.target.secrets[0].value not in text
    assert all(event.payload["by"]["id"] == "anybody" for event in told)


def test_places_before_the_first_are_none():
    from chalicelib.subscriptions.service import _before

    assert _before(ulid.floor(0)) == ulid.floor(0)


def test_a_large_set_of_subscriptions_is_counted_in_few_calls(
    platform, pump, receiver, calls
):
    made = [
        subscribe(platform, receiver.url, filter={"payload.n": 1}) for _ in range(60)
    ]
    pump.run()
    publish(platform, {"type": "a.b", "payload": {"n": 2}})
    pump.relay()
    calls.clear()
    pump.queue("routing")

    assert calls.counted["UpdateItem"] <= 3
    assert all(counters(platform, one)["filtered_out"] == 1 for one in made)


def test_two_receivers_fail_and_succeed_by_themselves(platform, pump, receiver):
    with Receiver(lambda *_: (500, {})) as failing:
        bad = subscribe(platform, failing.url, retry={"schedule_s": []})
        good = subscribe(platform, receiver.url)
        publish(platform, {"type": "a.b", "payload": {}})
        pump.run()

    assert counters(platform, good)["delivered"] == 1
    assert counters(platform, bad)["dead"] == 1
