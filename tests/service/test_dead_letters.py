"""Dead letters of subscriptions: listed, retried, purged, never without a trace."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY, Principal
from eventyard.core.errors import NotFoundError
from tests.steps import counters, listed, publish, row_of, subscribe


def letters(platform, **wish):
    every = {"subscription": None, "cursor": None, "limit": 50, "by": ANYBODY, **wish}
    return platform.subscribed.dead_letters.page(
        every["by"], every["subscription"], every["cursor"], every["limit"]
    )


@pytest.fixture
def broken(platform, pump, receiver):
    """Three events of which a subscription could deliver none."""
    receiver.reaction = lambda *_: (500, {})
    made = subscribe(platform, receiver.url, retry={"schedule_s": []})
    for n in range(3):
        publish(platform, {"type": f"a.t{n}", "payload": {"n": n}})
    pump.run()
    receiver.reaction = lambda *_: (200, {})
    receiver.received.clear()
    return made


def test_they_are_listed_newest_first_and_paged(platform, broken):
    seen, cursor = [], None
    while True:
        page, cursor = letters(platform, cursor=cursor, limit=2)
        seen += [row.type for row in page]
        if cursor is None:
            break
    assert seen == ["a.t2", "a.t1", "a.t0"]


def test_those_of_one_subscription_are_told_apart(platform, broken, receiver):
    other = subscribe(platform, receiver.url)

    assert len(letters(platform, subscription=broken.id)[0]) == 3
    assert letters(platform, subscription=other.id)[0] == []


def test_a_caller_sees_only_types_within_their_scopes(platform, broken):
    shop = Principal("shop", frozenset({"events:subscribe:a.t1"}), "k")

    page, _ = letters(platform, by=shop)
    assert [row.type for row in page] == ["a.t1"]
    hidden = letters(platform)[0][0]
    with pytest.raises(NotFoundError):
        platform.subscribed.dead_letters.get(hidden.id, shop)


def test_a_retry_delivers_and_leaves_the_list_and_the_attempts(
    platform, pump, broken, receiver
):
    service = platform.subscribed.dead_letters
    (row,), _ = service.chosen([letters(platform)[0][0].id], None, 10)

    assert service.retry([row], ANYBODY) == (1, [])
    pump.run()

    assert receiver.ids() == [row.event_id]
    assert len(letters(platform)[0]) == 2
    after = row_of(platform, row.event_id, broken)
    assert (after.status, len(after.attempts)) == ("delivered", 2)
    assert counters(platform, broken)["dead"] == 2
    assert counters(platform, broken)["waiting"] == 0


def test_a_retry_that_fails_again_comes_back_with_all_its_attempts(
    platform, pump, broken, receiver
):
    receiver.reaction = lambda *_: (502, {})
    service = platform.subscribed.dead_letters
    service.retry(service.chosen(None, broken.id, 100)[0], ANYBODY)
    pump.run()

    page, _ = letters(platform)
    assert [len(row.attempts) for row in page] == [2, 2, 2]
    assert counters(platform, broken)["dead"] == 3


def test_all_are_retried_with_a_bound(platform, pump, broken, receiver):
    service = platform.subscribed.dead_letters
    rows, _ = service.chosen(None, None, 2)
    assert service.retry(rows, ANYBODY)[0] == 2
    pump.run()

    assert len(receiver.received) == 2
    assert len(letters(platform)[0]) == 1


def test_a_letter_whose_subscription_is_gone_stays_and_says_why(platform, broken):
    platform.subscribed.service.remove(broken.id, ANYBODY)
    service = platform.subscribed.dead_letters
    retried, failed = service.retry(service.chosen(None, None, 10)[0], ANYBODY)

    assert retried == 0
    assert {one["reason"] for one in failed} == {"Its subscription was removed."}
    assert len(letters(platform)[0]) == 3


def test_a_crash_in_the_middle_of_a_retry_leaves_the_letter_to_be_retried(
    platform, pump, broken, receiver, monkeypatch
):
    service = platform.subscribed.dead_letters
    rows, _ = service.chosen(None, None, 1)
    courier = type(service.courier)
    send = courier.send

    def die(*_):
        monkeypatch.setattr(courier, "send", send)
        raise SystemExit

    monkeypatch.setattr(courier, "send", die)
    with pytest.raises(SystemExit):
        service.retry(rows, ANYBODY)
    service.retry(service.chosen([rows[0].id], None, 1)[0], ANYBODY)
    pump.run()

    assert receiver.ids() == [rows[0].event_id]


def test_purging_leaves_a_note_in_the_log_and_in_the_events_trace(platform, broken):
    service = platform.subscribed.dead_letters
    rows, _ = service.chosen(None, broken.id, 10)

    assert service.purge(rows, ANYBODY) == 3

    assert letters(platform)[0] == []
    (note,) = [e for e in listed(platform) if e.type == "eventyard.dead_letters.purged"]
    assert note.payload["count"] == 3
    assert row_of(platform, rows[0].event_id, broken).status == "dead"


def test_an_id_that_is_none_is_told(platform, broken):
    rows, missing = platform.subscribed.dead_letters.chosen(["x"], None, 10)

    assert rows == []
    assert missing == [{"id": "x", "reason": "There is no dead letter x."}]


def test_dead_twice_is_one_letter(platform, pump, broken, receiver):
    receiver.reaction = lambda *_: (500, {})
    service = platform.subscribed.dead_letters
    for _ in range(2):
        service.retry(service.chosen(None, None, 10)[0], ANYBODY)
        pump.run()

    assert len(letters(platform)[0]) == 3
