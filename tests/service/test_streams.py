"""Event streams: versions without a gap, in step with the log, whoever appends."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.events import drafts
from chalicelib.events.log import time_key
from chalicelib.events.streams import MOST_TYPES, Wish
from chalicelib.table import ThrottledError
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnavailableError,
)
from tests.steps import Crash, connect, greeted, listed, publish, say


@pytest.fixture
def streams(platform):
    platform.streams.sleep = lambda _: None
    return platform.streams


def append(streams, stream_id, *events, expected=None, key=None):
    members = [{"type": e} if isinstance(e, str) else e for e in events]
    wish = Wish(drafts.drafts_of(members), "tester", expected, key)
    return streams.append(stream_id, wish)


def versions(streams, stream_id="s", first=0, last=10**9, limit=500):
    page = streams.read(stream_id, first, last, limit)
    return [event.version for event in page.events]


def in_between(streams, act):
    """Let something happen between the next look at the stream and its append."""
    write = streams.table.put_all_new

    def act_first(items):
        streams.table.put_all_new = write
        act()
        return write(items)

    streams.table.put_all_new = act_first


def test_versions_begin_at_one_and_have_no_gap(streams):
    first = append(streams, "s", "a")
    second = append(streams, "s", "b", "c")

    assert [e.version for e in first.events + second.events] == [1, 2, 3]
    assert second.to_dict()["version"] == streams.head("s").version == 3


def test_an_append_is_an_event_of_the_log_and_reaches_who_follows_the_stream(
    streams, platform, pump, gateway
):
    connect(platform, channel="router")
    subscription = {"topics": ["**"], "filter": {"stream_id": "order-123"}}
    say(platform, "c1", {"type": "subscribe", "subscription": subscription})
    append(streams, "order-7", "order.created")
    append(streams, "order-123", {"type": "order.created", "data": {"n": 1}})
    pump.run()

    (frame,) = [f for f in gateway.frames("c1") if f["type"] == "event"]

    assert frame["event"]["version"] == 1
    assert frame["event"]["payload"] == {"n": 1}
    assert frame["event"]["attributes"] == {"stream_id": "order-123"}


def test_the_log_and_the_stream_hold_the_same_events(streams, platform):
    told = append(streams, "s", {"type": "a", "data": 1}, {"type": "b", "priority": 9})

    (page, log) = streams.read("s", 1, 9, 9).events, listed(platform)[::-1]

    assert page == log == list(told.events)
    assert platform.events.get(told.events[1].id) == told.events[1]


def test_an_append_costs_a_read_and_a_write(streams, platform, calls):
    append(streams, "s", "a")
    calls.clear()

    append(streams, "s", "a", "b")

    assert calls.made == ["Query", "TransactWriteItems"]


def test_the_expected_version_must_be_the_present_one(streams):
    append(streams, "s", "a", expected=0)
    append(streams, "s", "b", expected=1)

    for wrong in (0, 1, 3):
        with pytest.raises(ConflictError) as raised:
            append(streams, "s", "c", expected=wrong)
        assert raised.value.details == {"expected": wrong, "actual": 2}
    assert versions(streams) == [1, 2]


def test_zero_means_that_the_stream_is_not_there(streams):
    with pytest.raises(ConflictError):
        append(streams, "s", "a", expected=1)
    append(streams, "s", "a", expected=0)

    with pytest.raises(ConflictError):
        append(streams, "s", "a", expected=0)


def test_of_two_that_expect_the_same_version_one_appends(streams):
    append(streams, "s", "a")
    in_between(streams, lambda: append(streams, "s", "b", "c", expected=1))

    with pytest.raises(ConflictError) as raised:
        append(streams, "s", "d", expected=1)

    assert raised.value.details == {"expected": 1, "actual": 3}
    assert [e.type for e in streams.read("s", 1, 9, 9).events] == ["a", "b", "c"]


def test_without_an_expected_version_a_race_is_no_conflict(streams, platform):
    in_between(streams, lambda: append(streams, "s", "first", "second"))

    told = append(streams, "s", "third")

    assert told.events[0].version == 3
    assert len(listed(platform)) == 3


def test_an_append_that_another_transaction_disturbs_tries_again(streams):
    def disturb():
        raise ThrottledError

    in_between(streams, disturb)

    assert append(streams, "s", "a").events[0].version == 1


def test_when_too_many_append_it_says_so_and_has_done_nothing(streams, platform):
    def disturb(items):
        raise ThrottledError

    write, streams.table.put_all_new = streams.table.put_all_new, disturb
    with pytest.raises(UnavailableError):
        append(streams, "s", "a")
    streams.table.put_all_new = write

    assert streams.head("s").version == 0
    assert listed(platform) == []


def test_there_is_no_moment_between_the_stream_and_the_log(streams, platform):
    """Both are in the one call that writes anything at all."""
    writes = []

    def die(items):
        writes.append([item["pk"].partition("#")[0] for item in items])
        raise Crash

    write, streams.table.put_all_new = streams.table.put_all_new, die
    with pytest.raises(Crash):
        append(streams, "s", "a", key="k")
    streams.table.put_all_new = write

    assert writes == [["stream", "log", "claim"]]
    assert (streams.head("s").version, listed(platform)) == (0, [])
    assert append(streams, "s", "a", key="k").repeated is False


@pytest.mark.parametrize("expected", [None, 0])
def test_a_retry_with_its_key_is_told_what_the_first_call_did(
    streams, platform, expected
):
    first = append(streams, "s", "a", "b", key="k", expected=expected)
    append(streams, "s", "c")

    again = append(streams, "s", "a", "b", key="k", expected=expected)

    assert (first.repeated, again.repeated) == (False, True)
    assert again.events == first.events
    assert versions(streams) == [1, 2, 3]
    assert len(listed(platform)) == 3


def test_a_retry_at_the_same_moment_appends_once(streams):
    in_between(streams, lambda: append(streams, "s", "a", key="k"))

    told = append(streams, "s", "a", key="k")

    assert told.repeated is True
    assert versions(streams) == [1]


@pytest.mark.parametrize(
    "other",
    [
        lambda s: append(s, "s", "b", key="k"),
        lambda s: append(s, "t", "a", key="k"),
        lambda s: append(s, "s", "a", key="k", expected=1),
    ],
)
def test_a_key_is_not_used_for_another_append(streams, other):
    append(streams, "s", "a", key="k")

    with pytest.raises(ConflictError) as raised:
        other(streams)

    assert raised.value.code == "idempotency_key_reused"


def test_a_key_of_an_append_is_none_for_publishing(streams, platform):
    append(streams, "s", "a", key="k")

    with pytest.raises(ConflictError):
        publish(platform, {"type": "a"}, idempotency_key="k")
    assert len(listed(platform)) == 1


def test_a_retry_in_which_the_first_call_lost_its_answer_is_one_append(streams):
    """The transaction was done, the answer did not come."""
    write = streams.table.put_all_new

    def write_and_fail(items):
        streams.table.put_all_new = write
        write(items)
        raise ThrottledError

    streams.table.put_all_new = write_and_fail

    told = append(streams, "s", "a", key="k")

    assert told.repeated is True
    assert versions(streams) == [1]


@pytest.mark.parametrize(
    "member",
    [
        {"id": "mine"},
        {"version": 4},
        {"stream_id": "t"},
        {"deliver_at": "2030-01-01T00:00:00Z"},
        {"type": "reply.01M7XZWQJYDFMFZR88CEXSY7JH"},
    ],
)
def test_what_the_stream_gives_cannot_be_given(streams, member):
    with pytest.raises(InvalidRequestError) as raised:
        append(streams, "s", {"type": "a", **member})

    assert raised.value.details["field"] in member
    assert streams.head("s").version == 0


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "ü", "a#b"])
def test_a_name_that_is_none_is_refused(streams, name):
    with pytest.raises(InvalidRequestError):
        append(streams, name, "a")


def test_an_append_is_bounded(streams):
    with pytest.raises(InvalidRequestError):
        append(streams, "s")
    with pytest.raises(InvalidRequestError):
        append(streams, "s", *["a"] * 101)
    with pytest.raises(PayloadTooLargeError):
        append(streams, "s", {"type": "a", "payload": "x" * 200_000})
    assert streams.head("s").version == 0

    append(streams, "s", *["a"] * 100)
    append(streams, "s", {"type": "a", "payload": "x" * 199_000})

    assert streams.head("s").version == 101


def test_a_stream_has_a_bounded_number_of_types(streams):
    for start in (0, 100):
        append(streams, "s", *[f"t{n}" for n in range(start, start + 100)])

    with pytest.raises(InvalidRequestError, match=str(MOST_TYPES)):
        append(streams, "s", "one.more")
    append(streams, "s", "t1")

    assert len(streams.head("s").types) == MOST_TYPES


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 99, [1, 2, 3, 4, 5, 6]),
        (1, 99, [1, 2, 3, 4, 5, 6]),
        (3, 5, [3, 4, 5]),
        (6, 6, [6]),
        (7, 99, []),
        (5, 4, []),
    ],
)
def test_a_read_is_inclusive_at_both_ends(streams, first, last, expected):
    append(streams, "s", "a", "b")
    append(streams, "s", "c", "d", "e")
    append(streams, "s", "f")

    assert versions(streams, "s", first, last) == expected


def test_pages_continue_without_gap_or_repeat(streams):
    for number in range(5):
        append(streams, "s", *["a"] * (number + 1))
    found, start = [], 0
    while start is not None:
        page = streams.read("s", start, 10**9, 4)
        assert len(page.events) <= 4
        found += [event.version for event in page.events]
        start = page.next_version

    assert found == list(range(1, 16))


def test_a_page_is_bounded_in_bytes(streams):
    for _ in range(25):
        append(streams, "s", {"type": "a", "payload": "x" * 190_000})

    page = streams.read("s", 0, 10**9, 500)

    assert page.next_version == len(page.events) + 1 < 26


def test_streams_with_names_that_begin_alike_are_apart(streams):
    append(streams, "s", "a")
    append(streams, "s1", "b")

    assert versions(streams, "s") == [1]
    with pytest.raises(NotFoundError):
        streams.existing("s2")


def test_it_outlives_the_log(streams, platform):
    append(streams, "s", "a")
    (commit,) = platform.log.backward(time_key(platform.log.now_ms() + 1), 0)
    platform.table.delete(platform.log.partition(commit.key), commit.key)

    assert versions(streams) == [1]
    assert "ttl" not in platform.table.get("stream#s", f"{1:012d}")


def test_a_snapshot_is_replaced_by_a_newer_one_alone(streams, platform):
    append(streams, "s", "a", "b", "c")
    head = streams.existing("s")
    assert streams.snapshot("s") is streams.snapshot_version("s") is None
    streams.save_snapshot(head, 2, {"sum": 3})
    streams.save_snapshot(head, 2, {"sum": 4})
    streams.save_snapshot(head, 3, {"sum": 6})

    with pytest.raises(ConflictError) as older:
        streams.save_snapshot(head, 1, {})
    with pytest.raises(ConflictError) as beyond:
        streams.save_snapshot(head, 4, {})
    with pytest.raises(PayloadTooLargeError):
        streams.save_snapshot(head, 3, "x" * 360_000)

    assert older.value.details == {"version": 1, "snapshot_version": 3}
    assert beyond.value.details == {"version": 4, "actual": 3}
    assert streams.snapshot("s")["state"] == {"sum": 6}
    assert streams.snapshot_version("s") == 3
    assert streams.head("s").version == 3


def test_of_two_snapshots_at_once_the_newer_one_stays(streams):
    append(streams, "s", "a", "b", "c")
    head = streams.existing("s")
    streams.save_snapshot(head, 1, {})
    set_item = streams.table.set

    def save_newer_first(*args, **more):
        streams.table.set = set_item
        streams.save_snapshot(head, 3, {"newer": True})
        return set_item(*args, **more)

    streams.table.set = save_newer_first
    with pytest.raises(ConflictError):
        streams.save_snapshot(head, 2, {})

    assert streams.snapshot("s")["state"] == {"newer": True}


def test_a_live_client_gets_every_version_once(streams, platform, pump, gateway):
    greeted(pump, events="*")
    for number in range(4):
        append(streams, "s", *["a"] * (number + 1))
    pump.run()

    frames = gateway.frames("c1")[1:]

    assert len({frame["event_id"] for frame in frames}) == len(frames) == 10


#: What several appenders do, in which order: whose turn it is to look or to write.
_TURNS = st.lists(st.integers(0, 2), min_size=6, max_size=40)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(turns=_TURNS, sizes=st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_however_appends_interleave_the_stream_has_no_gap(platform, turns, sizes):
    """Each appender looks at the stream in one turn and writes in its next."""
    streams = platform.streams
    name = f"s-{platform.log.new_key()}"
    looked: dict[int, object] = {}
    done = []
    for who in turns:
        if who not in looked:
            looked[who] = streams.head(name)
            continue
        wish = Wish(drafts.drafts_of([{"type": f"by.{who}"}] * sizes[who]), "t")
        told = streams._try(looked.pop(who), wish, "")
        done += [told] if told else []

    events = streams.read(name, 0, 10**9, 500).events

    assert [e.version for e in events] == list(range(1, len(events) + 1))
    assert [e.id for e in events] == [e.id for told in done for e in told.events]
    in_log = {e.id for e in listed(platform) if e.stream_id == name}
    assert in_log == {e.id for e in events}


def test_ids_of_a_stream_are_ids_of_the_log(streams, platform):
    told = append(streams, "s", "a", "b")

    assert [e.id for e in told.events] == [e.id for e in listed(platform)[::-1]]
