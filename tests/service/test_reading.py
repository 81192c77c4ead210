"""Reading the log: across buckets, days and shards, with few calls."""

from __future__ import annotations

import dataclasses

import boto3
import pytest

from eventyard.core import ulid
from eventyard.core.errors import NotFoundError
from tests.steps import ids, listed, publish

BUCKET = 600
DAY = 86_400


def pages(platform, limit, wanted=lambda _: True):
    """Walk through all pages; returns the types page by page."""
    found, cursor = [], None
    while True:
        page = platform.events.page(
            wanted, since_ms=0, until_ms=None, limit=limit, cursor=cursor
        )
        found.append([event.type for event in page.events])
        cursor = page.cursor
        if cursor is None:
            return found


def flat(walked):
    return [one for page in walked for one in page]


def spread(platform, clock, commits=7):
    """Publish commits of 1, 2 and 3 events over several buckets; returns the types."""
    types = []
    clock.tick(-1_800)
    for number in range(commits):
        names = [f"c{number}.e{n}" for n in range(number % 3 + 1)]
        publish(platform, *[{"type": name} for name in names])
        types += names
        clock.tick(251)
    return types


@pytest.fixture
def sharded(platform):
    from chalicelib import bootstrap

    made = bootstrap.Platform(dataclasses.replace(platform.settings, log_shards=3))
    made.__dict__["gateway"] = platform.gateway
    return made


def test_events_of_several_buckets_are_listed_newest_first(platform, clock):
    types = spread(platform, clock)

    assert [event.type for event in listed(platform)] == types[::-1]


@pytest.mark.parametrize("limit", [1, 2, 7, 500])
def test_pages_have_no_gaps_and_no_doubles(platform, clock, limit):
    types = spread(platform, clock)

    walked = pages(platform, limit)

    assert flat(walked) == types[::-1]
    assert all(len(page) == limit for page in walked[:-1])


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_filtered_pages_have_no_gaps_and_no_doubles(platform, clock, limit):
    types = spread(platform, clock)

    walked = pages(platform, limit, lambda view: view["type"].endswith("e1"))

    assert flat(walked) == [name for name in types[::-1] if name.endswith("e1")]


def test_what_comes_while_one_pages_does_not_disturb(platform, clock):
    types = spread(platform, clock)
    first = platform.events.page(
        lambda _: True, since_ms=0, until_ms=None, limit=2, cursor=None
    )
    publish(platform, {"type": "late"})

    rest = listed(platform, cursor=first.cursor)

    assert [event.type for event in first.events + rest] == types[::-1]


def test_a_page_of_large_payloads_ends_early_and_goes_on(platform):
    for number in range(4):
        publish(platform, {"type": f"a.{number}", "payload": "x" * 1_500_000})

    walked = pages(platform, 50)

    assert walked == [["a.3", "a.2"], ["a.1", "a.0"]]


def test_a_listing_looks_at_so_many_commits_before_it_answers(platform):
    platform.events.looked_at = 3
    for number in range(7):
        publish(platform, {"type": f"a.{number}"})

    walked = pages(platform, 50, lambda view: view["type"] in ("a.6", "a.0"))

    assert walked[:2] == [["a.6"], []]
    assert flat(walked) == ["a.6", "a.0"]


def test_a_missing_payload_hides_that_payload_alone(platform):
    (one,) = ids(publish(platform, {"type": "large", "payload": "x" * 200_001}))
    publish(platform, {"type": "small", "payload": 1})
    boto3.resource("s3").Bucket(platform.settings.bucket).objects.all().delete()

    small, large = listed(platform)

    assert (small.payload, large.type, large.payload) == (1, "large", None)
    assert large.dataref
    with pytest.raises(NotFoundError) as missing:
        platform.events.get(one)
    assert missing.value.code == "payload_missing"


def test_a_commit_that_cannot_be_read_hides_itself_alone(platform):
    publish(platform, {"type": "before"})
    key = platform.log.new_key()
    platform.table.put(
        {"pk": platform.log.partition(key), "sk": key, "n": 1, "events": "{"}
    )
    publish(platform, {"type": "after"})

    assert {event.type for event in listed(platform)} == {"before", "after"}


def test_an_event_is_found_with_one_call(platform, calls):
    told = ids(publish(platform, *[{"type": f"a.{n}"} for n in range(20)]))
    calls.clear()

    event = platform.events.get(told[13])

    assert event.type == "a.13"
    assert calls.made == ["Query"]


def test_an_event_of_a_sharded_log_is_found_with_one_call(sharded):
    from tests.calls import Calls

    calls = Calls(sharded.aws)
    told = [ids(publish(sharded, {"type": f"a.{n}"}, {"type": "b"})) for n in range(9)]
    calls.clear()

    found = [[sharded.events.get(one).type for one in pair] for pair in told]

    assert found == [[f"a.{n}", "b"] for n in range(9)]
    assert calls.counted == {"Query": 18}


def test_a_sharded_log_uses_all_its_shards(sharded):
    for _ in range(30):
        publish(sharded, {"type": "a"})

    partitions = {
        sharded.log.partition(commit.key)
        for commit in sharded.log.backward(ulid.floor(2**47), 0)
    }
    assert {name.split("#")[2] for name in partitions} == {"0", "1", "2"}


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_a_sharded_log_is_paged_like_any_other(sharded, clock, limit):
    sharded.log.clock = clock
    types = spread(sharded, clock)

    assert flat(pages(sharded, limit)) == types[::-1]


def test_a_sharded_log_is_read_forward_in_order(sharded, clock):
    sharded.log.clock = clock
    start = ulid.floor(int(clock.now - 3_600) * 1_000)
    types = spread(sharded, clock)

    commits = sharded.log.forward(start, sharded.log.new_key())

    assert [event.type for commit in commits for event in commit.events] == types


def test_a_sharded_log_is_relayed_whole_by_the_sweep(sharded, clock):
    sharded.log.clock = clock
    types = spread(sharded, clock)
    clock.tick(60)

    assert sharded.relay.catch_up() == 7
    assert sharded.relay.progress().published == len(types)
    assert sharded.relay.catch_up() == 0


def test_more_shards_than_yesterday_still_find_what_is_there(platform, sharded):
    # Shards are taken from the key: growing from one leaves old events unfindable
    # by id in other shards, but never unlisted.
    told = publish(platform, {"type": "old"})

    assert [event.type for event in listed(sharded)] == ["old"]
    assert len(told) == 1


def test_after_sweeps_events_from_days_ago_are_found_with_few_calls(
    platform, clock, calls
):
    now = clock.now
    sweeping = range(12)  # four times a day
    clock.now = now - 3 * DAY
    publish(platform, {"type": "three.days.ago"})
    for tick in sweeping:
        clock.tick(60)
        platform.relay.catch_up()
        clock.tick(DAY / 4 - 60)
        if tick == 3:
            publish(platform, {"type": "two.days.ago"})
    platform.relay.catch_up()
    calls.clear()

    found = [event.type for event in listed(platform)]

    assert found == ["two.days.ago", "three.days.ago"]
    # One read of the directory, the two known buckets, and what is not swept yet.
    assert calls.counted["BatchGetItem"] == 1
    assert calls.counted["Query"] <= 5


def test_a_new_log_is_listed_before_the_first_sweep(platform, clock, calls):
    publish(platform, {"type": "a"})
    calls.clear()

    assert [event.type for event in listed(platform)] == ["a"]
    assert calls.counted["Query"] <= 8


def test_nothing_older_than_the_retention_is_looked_for(platform, clock, calls):
    calls.clear()

    assert listed(platform) == []
    assert calls.counted["BatchGetItem"] == 1


def test_since_spares_the_days_before(platform, clock):
    publish(platform, {"type": "old"})
    clock.tick(BUCKET * 3)
    publish(platform, {"type": "new"})

    found = listed(platform, since_ms=int(clock.now - 60) * 1_000)

    assert [event.type for event in found] == ["new"]
