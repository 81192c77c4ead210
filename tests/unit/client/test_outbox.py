"""What is on its way out: in order, in commits, again where that may help, or told."""

# ruff: noqa: ASYNC110 - as in tests/awaiting.py

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard import (
    AuthenticationError,
    Event,
    PermissionDeniedError,
    PublishError,
    UnavailableError,
    ValidationError,
)
from eventyard.patterns import patience
from eventyard.patterns._waiting import Waiting
from eventyard.patterns.outbox import MOST_BYTES, Letter, Outbox
from eventyard.settings import Settings
from eventyard.transports.base import Published
from tests.awaiting import awaited, turns
from tests.properties import examples


class Router:
    """Takes commits, and refuses what it is told to."""

    def __init__(self, *errors, refused=()):
        self.commits = []
        self.errors = [*errors]
        self.refused = refused
        self.lost = []
        self.gate = None

    async def send(self, commit):
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        payloads = [event.payload for event in commit.events]
        if any(one in self.refused for one in payloads):
            raise ValidationError("one of them is not valid")
        self.commits.append((payloads, commit.key))
        return [Published(event.id) for event in commit.events]

    def lose(self, error, event):
        self.lost.append((error.code, event.payload))

    @property
    def sent(self):
        return [payload for payloads, _ in self.commits for payload in payloads]

    def outbox(self, **told):
        return Outbox(Settings(**told), self.send, self.lose)


def letter(payload, priority=5, **more):
    return Letter(Event("x", payload, priority=priority), **more)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(patience, "_pause_s", lambda _: 0)


@given(
    acts=st.lists(st.tuples(st.booleans(), st.integers(1, 10)), max_size=60),
    size=st.integers(1, 7),
    room=st.integers(1, 20),
    refused=st.sets(st.integers(0, 60), max_size=5),
    policy=st.sampled_from(["drop_oldest", "drop_newest", "error"]),
)
@settings(max_examples=examples(60), deadline=None)
def test_what_goes_in_comes_out_or_is_told_and_with_one_sender_in_order(
    acts, size, room, refused, policy
):
    router = Router(refused=refused)
    raised, refusals = [], []

    async def put(outbox, number):
        try:
            await outbox.put(letter(number))
        except ValidationError:
            refusals.append(number)

    async def run():
        outbox = router.outbox(
            batch_size=size, buffer_size=room, pool_size=1, overflow=policy
        )
        waiting = []
        for number, (patient, priority) in enumerate(acts):
            if patient:
                waiting.append(asyncio.create_task(put(outbox, number)))
                await asyncio.sleep(0)
            else:
                try:
                    outbox.put_nowait(letter(number, priority))
                except PublishError:
                    raised.append(number)
        await asyncio.gather(*waiting)
        await outbox.close(30)

    asyncio.run(run())

    told = [payload for _, payload in router.lost] + raised + refusals
    assert sorted(router.sent + told) == [*range(len(acts))]
    assert all(len(payloads) <= size for payloads, _ in router.commits)
    if len(acts) < room:
        assert router.sent == sorted(router.sent)


@awaited
async def test_whoever_waits_is_sent_at_once_with_what_lies_there():
    router = Router()
    outbox = router.outbox(batch_timeout=3_600)
    for number in range(3):
        outbox.put_nowait(letter(number))
    await outbox.put(letter(3))
    assert [payloads for payloads, _ in router.commits] == [[0, 1, 2, 3]]
    await outbox.close(1)


@awaited
async def test_what_nobody_waits_for_goes_after_a_time():
    router = Router()
    outbox = router.outbox(batch_timeout=0.01)
    outbox.put_nowait(letter(1))
    assert router.sent == []
    while not router.sent:
        await asyncio.sleep(0.001)
    await outbox.close(1)


@awaited
async def test_a_commit_is_tried_again_with_its_key_while_that_may_help():
    router = Router(UnavailableError(), UnavailableError())
    keys, send = [], router.send

    async def watched(commit):
        keys.append(commit.key)
        return await send(commit)

    outbox = Outbox(Settings(), watched, router.lose)
    assert (await outbox.put(letter(1))).status == "published"
    assert len(keys) == 3
    assert len(set(keys)) == 1


@awaited
async def test_what_is_tried_too_often_is_told():
    router = Router(*[UnavailableError("away") for _ in range(12)])
    outbox = router.outbox()
    with pytest.raises(PublishError, match="6 times: away") as caught:
        await outbox.put(letter(1))
    assert caught.value.retryable
    outbox.put_nowait(letter(2))
    await outbox.flush()
    assert router.lost == [("unavailable", 2)]


@awaited
async def test_of_a_commit_that_is_refused_the_good_ones_are_sent():
    router = Router(refused={13, 57})
    outbox = router.outbox()
    puts = [outbox.put(letter(number)) for number in range(100)]
    told = await asyncio.gather(*puts, return_exceptions=True)

    bad = [n for n, one in enumerate(told) if isinstance(one, ValidationError)]
    assert bad == [13, 57]
    assert router.sent == [n for n in range(100) if n not in bad]


@pytest.mark.parametrize(
    ("error", "calls"), [(AuthenticationError(), 1), (OSError(), 1)]
)
@awaited
async def test_an_error_that_is_of_no_single_event_is_told_to_all(error, calls):
    router = Router(error)
    outbox = router.outbox()
    puts = [outbox.put(letter(number)) for number in range(10)]
    told = await asyncio.gather(*puts, return_exceptions=True)
    assert told == [error] * 10
    assert router.commits == []


@awaited
async def test_a_topic_that_is_forbidden_costs_no_other():
    router = Router(PermissionDeniedError())
    outbox = router.outbox()
    puts = [outbox.put(letter(number)) for number in range(2)]
    await asyncio.gather(*puts)
    assert router.sent == [0, 1]


@awaited
async def test_a_router_that_tells_of_too_few_is_not_believed():
    async def send(_):
        return []

    outbox = Outbox(Settings(), send, lambda *_: None)
    with pytest.raises(PublishError, match="told of 0"):
        await outbox.put(letter(1))


@awaited
async def test_a_commit_holds_so_many_bytes_and_a_key_of_its_own_is_alone():
    router = Router()
    outbox = router.outbox()
    large = "x" * (MOST_BYTES // 2)
    for payload in (large, large, large):
        outbox.put_nowait(letter(payload))
    outbox.put_nowait(letter(1, key="own"))
    outbox.put_nowait(letter(2))
    await outbox.flush()

    assert [len(payloads) for payloads, _ in router.commits] == [1, 1, 1, 1, 1]
    assert router.commits[3] == ([1], "own")


@awaited
async def test_commits_are_on_their_way_side_by_side():
    router = Router()
    router.gate = asyncio.Event()
    outbox = router.outbox(batch_size=1, pool_size=3)
    puts = [asyncio.create_task(outbox.put(letter(n))) for n in range(5)]
    await turns()
    assert len(outbox._sending) == 3
    router.gate.set()
    await asyncio.gather(*puts)


@awaited
async def test_the_least_important_is_dropped_first_and_told():
    router = Router()
    outbox = router.outbox(buffer_size=3, batch_size=100)
    for number, priority in enumerate([9, 2, 5, 2, 1, 9, 5]):
        outbox.put_nowait(letter(number, priority))
    assert router.lost == [
        ("buffer_full", 1),
        ("buffer_full", 4),
        ("buffer_full", 3),
        ("buffer_full", 2),
    ]
    assert outbox.dropped == 4
    await outbox.close(1)
    assert router.sent == [0, 5, 6]


@awaited
async def test_the_newest_is_dropped_where_one_says_so():
    router = Router()
    outbox = router.outbox(buffer_size=2, overflow="drop_newest")
    for number in range(4):
        outbox.put_nowait(letter(number, number + 1))
    await outbox.close(1)
    assert (router.sent, [n for _, n in router.lost]) == ([0, 1], [2, 3])


@awaited
async def test_who_waits_for_an_answer_is_never_dropped():
    router = Router()
    router.gate = asyncio.Event()
    outbox = router.outbox(buffer_size=1, batch_size=1, pool_size=1)
    puts = [asyncio.create_task(outbox.put(letter(n))) for n in range(2)]
    await turns()
    outbox.put_nowait(letter(2, 10))
    assert router.lost == [("buffer_full", 2)]
    router.gate.set()
    await asyncio.gather(*puts)


@awaited
async def test_who_waits_too_long_for_room_is_told():
    router = Router()
    router.gate = asyncio.Event()
    outbox = router.outbox(buffer_size=1, batch_size=1, pool_size=1, pool_timeout=0.01)
    puts = [asyncio.create_task(outbox.put(letter(n))) for n in range(2)]
    await turns()
    with pytest.raises(PublishError, match="buffer_size"):
        await outbox.put(letter(2))
    router.gate.set()
    await asyncio.gather(*puts)


@awaited
async def test_who_does_not_wait_any_more_before_it_was_sent_is_not_sent():
    router = Router()
    router.gate = asyncio.Event()
    outbox = router.outbox(batch_size=1, pool_size=1)
    puts = [asyncio.create_task(outbox.put(letter(n))) for n in range(3)]
    await turns()
    puts[1].cancel()
    router.gate.set()
    await asyncio.wait(puts)
    await outbox.close(1)
    assert router.sent == [0, 2]


@awaited
async def test_what_is_left_when_patience_ends_is_told():
    router = Router()
    router.gate = asyncio.Event()
    outbox = router.outbox(batch_size=1, pool_size=1)
    waiting = asyncio.create_task(outbox.put(letter(0)))
    await turns()
    outbox.put_nowait(letter(1))
    await outbox.close(0.01)
    outbox.put_nowait(letter(2))

    with pytest.raises(PublishError, match="closed"):
        await waiting
    with pytest.raises(PublishError, match="closed"):
        await outbox.put(letter(3))
    assert router.lost == [("closed", 1), ("closed", 2)]
    with contextlib.suppress(PublishError):
        await outbox.flush()


# The queue itself.


@given(
    acts=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.none() | st.integers(1, 3)),
            st.tuples(st.just("take"), st.just(0)),
            st.tuples(st.just("drop"), st.integers(1, 3)),
        )
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_the_queue_is_what_a_list_would_be(acts):
    queue, model, number = Waiting(), [], 0
    for act, argument in acts:
        if act == "add":
            one, number = [number], number + 1
            queue.add(one, argument)
            model.append((one, argument))
        elif act == "take" and model:
            assert queue.take() is model.pop(0)[0]
        elif act == "take":
            with pytest.raises(IndexError):
                queue.take()
        else:
            low = [p for _, p in model if p is not None and p <= argument]
            expected = next((m for m in model if low and m[1] == min(low)), None)
            assert queue.drop(argument) is (expected and expected[0])
            if expected is not None:
                model.remove(expected)
        assert len(queue) == len(model)
        assert queue.first is (model[0][0] if model else None)
