"""What is for the tests of users: a router in memory, a recorder, a clock."""

from __future__ import annotations

import asyncio
import time

import pytest

from eventyard.client import EventRouterClient
from eventyard.patterns.handling import CircuitOpenError
from eventyard.testing import FakeClock, Recorder, memory_router
from eventyard.transports.memory import Broker
from tests.howto import blocks

_PAGE = "test-your-services"


def run(test):
    # Without a time-out around it: that would go by the clock that tests turn.
    asyncio.run(test())


def test_the_tests_of_the_howto_pass():
    names = {"__name__": "howto"}
    for block in blocks(_PAGE, "python"):
        exec(compile(block, f"{_PAGE}.md", "exec"), names)

    found = [name for name in names if name.startswith("test_")]
    assert len(found) == 5
    for name in found:
        if asyncio.iscoroutinefunction(names[name]):
            run(names[name])
        elif name == "test_nothing_is_sold_for_nothing":
            names[name](asyncio.run)
        else:
            names[name]()


def test_the_failure_that_the_howto_shows_is_what_is_said():
    (shown,) = blocks(_PAGE, "text")

    async def test():
        async with memory_router() as router, router.recorder() as recorder:
            await router.client().publish("order.placed", {"item": "book", "price": 12})
            await recorder.wait_for()
            with pytest.raises(AssertionError) as caught:
                recorder.assert_published("order.placed", {"item": "pen"})
            assert f"AssertionError: {caught.value}\n" == shown

    run(test)


def test_routers_know_nothing_of_each_other_and_leave_nothing():
    async def test():
        before = {*Broker._named}
        async with memory_router() as one, memory_router() as other:
            async with one.recorder() as recorder:
                await other.client().publish("theirs")
                await one.client().publish("ours")
                await recorder.wait_for(1)
                assert [event.type for event in recorder.events] == ["ours"]
            assert [event.type for event in other.events] == ["theirs"]
            client = one.client("me")
            assert (await client.connect()).client_id == "me"
        assert not client.is_connected
        assert {*Broker._named} == before

    run(test)


def test_a_routers_clients_pay_no_heed_to_the_environment(monkeypatch):
    monkeypatch.setenv("EVENTYARD_URL", "http://127.0.0.1:1")

    async def test():
        async with memory_router() as router, router.recorder() as recorder:
            await router.client().publish("x")
            assert len(await recorder.wait_for(1)) == 1

    run(test)


def test_what_handlers_raise_and_give_up_is_there_to_be_looked_at():
    async def test():
        async with memory_router() as router:
            client = router.client()

            @client.on("x")
            @client.error_handler(max_retries=0)
            async def fail(event):
                raise RuntimeError("no")

            await client.connect()
            async with router.recorder() as recorder:
                await client.publish("x")
                await recorder.wait_for()
            await client.disconnect()
            assert [event.type for _, event in router.errors] == ["x"]
            assert [one.event.type for one in router.dead_letters] == ["x"]

    run(test)


def test_waiting_in_vain_tells_what_came_instead():
    async def test():
        async with memory_router() as router, router.recorder() as recorder:
            await router.client().publish("a", {"n": 1})
            await recorder.wait_for(1)
            with pytest.raises(AssertionError, match=r"0 of 2 .* b(.|\n)* a .*1"):
                await recorder.wait_for(2, "b", timeout=0.01)

    run(test)


def test_an_empty_recorder_reminds_of_waiting():
    async def test():
        async with memory_router() as router, router.recorder() as recorder:
            with pytest.raises(AssertionError, match=r"was `await recorder\.wait_for"):
                recorder.assert_published("a")

    run(test)


@pytest.mark.parametrize(
    ("payload", "fits"),
    [
        ({}, True),
        ({"a": {"b": [1, {"c": 2}]}}, True),
        ({"a": {"b": [1, {}]}}, True),
        ({"a": {"b": [1]}}, False),
        ({"a": {"b": None}}, False),
        ({"z": 1}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_payload_fits_what_names_a_part_of_it(payload, fits):
    async def test():
        async with memory_router() as router, router.recorder() as recorder:
            told = {"a": {"b": [1, {"c": 2, "d": 3}], "e": 4}}
            await router.client().publish("x", told)
            await recorder.wait_for(1)
            check = recorder.assert_published if fits else recorder.assert_not_published
            refuse = (
                recorder.assert_not_published if fits else recorder.assert_published
            )
            check("x", payload)
            with pytest.raises(AssertionError):
                refuse("x", payload)

    run(test)


def test_times_and_fields_are_counted_exactly():
    async def test():
        async with memory_router() as router, router.recorder("x.*") as recorder:
            client = router.client()
            await client.publish("x.a", source="one", priority=9)
            await client.publish("x.b", source="two")
            await recorder.wait_for(2)
            recorder.assert_published("x.*", times=2)
            recorder.assert_published("x.c", times=0)
            recorder.assert_published("x.*", times=1, source="one", priority=9)
            with pytest.raises(AssertionError, match=r"x\.\*.* 1 times, but 2 times"):
                recorder.assert_published("x.*", times=1)
            recorder.clear()
            recorder.assert_not_published("x.*")

    run(test)


def test_a_recorder_records_from_any_client():
    async def test():
        async with (
            EventRouterClient(url="memory://any-client") as client,
            Recorder(client) as recorder,
        ):
            await client.publish("x")
            await recorder.wait_for(1)
        Broker.forget("any-client")

    run(test)


def test_what_is_due_happens_in_its_order_in_no_time():
    told = []

    async def say(what, *pauses):
        for pause in pauses:
            await asyncio.sleep(pause)
            told.append((what, pause))

    async def test():
        begun = time.perf_counter()
        async with FakeClock() as clock, asyncio.TaskGroup() as tasks:
            tasks.create_task(say("a", 3600, 3600))
            tasks.create_task(say("b", 5000))
            tasks.create_task(say("c", 86_400))
            await clock.advance(10_000)
            assert told == [("a", 3600), ("b", 5000), ("a", 3600)]
            await clock.advance(80_000)
        assert told[-1] == ("c", 86_400)
        assert time.perf_counter() - begun < 5

    run(test)


def test_time_outs_go_by_the_clock_and_it_is_put_back():
    kept = time.monotonic, time.time

    async def test():
        async with FakeClock() as clock:
            before = time.time(), time.monotonic()

            async def wait():
                async with asyncio.timeout(1000):
                    await asyncio.Event().wait()

            waiting = asyncio.create_task(wait())
            await clock.advance(1001)
            with pytest.raises(TimeoutError):
                await waiting
            assert time.time() - before[0] > 1000
            assert time.monotonic() - before[1] > 1000

    run(test)
    assert (time.monotonic, time.time) == kept


def test_retries_and_their_pauses_pass_at_once():
    async def test():
        async with memory_router() as router, FakeClock() as clock:
            client = router.client()
            tries = []

            @client.on("x")
            @client.error_handler(max_retries=3, delay=600)
            async def fail(event):
                tries.append(event)
                raise RuntimeError("no")

            await client.connect()
            await client.publish("x")
            await clock.advance(24 * 3600)
            assert len(tries) == 4
            assert len(router.dead_letters) == 1

    run(test)


def test_breakers_and_time_outs_of_sagas_go_by_it_as_well():
    async def test():
        async with memory_router() as router, FakeClock() as clock:
            client = router.client()
            undone = []

            @client.circuit_breaker(failure_threshold=1, recovery_timeout=3_600)
            async def call(fails):
                if fails:
                    raise OSError("down")
                return "up"

            @client.saga("trip", timeout=7_200)
            class Trip:
                @client.on("trip.booked")
                def start(self, event):
                    self.compensate_with("undo")

                def undo(self):
                    undone.append(True)

            await client.connect()
            await client.publish("trip.booked", {"id": 1})
            await clock.advance(7_000)
            assert not undone
            await clock.advance(400)
            assert undone

            with pytest.raises(OSError, match="down"):
                await call(fails=True)
            with pytest.raises(CircuitOpenError):
                await call(fails=False)
            await clock.advance(3_600)
            assert await call(fails=False) == "up"

    run(test)


def test_time_does_not_go_back():
    clock = FakeClock()
    shown = clock.now()
    clock.turn(60)
    assert (clock.now() - shown).total_seconds() == 60
    with pytest.raises(ValueError, match="does not go back"):
        clock.turn(-1)
