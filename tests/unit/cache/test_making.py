"""Get or make: one makes, the others wait; the old serves while the new is made."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.awaiting import awaited, until
from tests.unit.cache.conftest import wait_until


class Counting:
    """Makes values, slowly, and counts how often."""

    def __init__(self, takes_s=0.0):
        self.calls = 0
        self.takes_s = takes_s

    def __call__(self):
        self.calls += 1
        number = self.calls
        time.sleep(self.takes_s)
        return {"number": number}

    async def later(self):
        self.calls += 1
        number = self.calls
        await asyncio.sleep(self.takes_s)
        return {"number": number}


def test_what_is_there_is_not_made(cache):
    make = Counting()
    assert cache.get_or_set("a", make, 60) == {"number": 1}
    assert cache.get_or_set("a", make, 60) == {"number": 1}
    assert cache.get("a") == {"number": 1}
    assert make.calls == 1


def test_nothing_is_a_value_too(cache):
    calls = []
    for _ in range(2):
        assert cache.get_or_set("a", lambda: calls.append(1), 60) is None
    assert calls == [1]


def test_all_get_what_json_brings(cache):
    for _ in range(2):
        assert cache.get_or_set("a", lambda: {1: (1, 2)}, 60) == {"1": [1, 2]}


def test_what_is_no_json_is_handed_out_and_made_each_time(cache):
    made = [{1, 2}, {3}]
    assert cache.get_or_set("a", lambda: made[0], 60) == {1, 2}
    assert cache.get_or_set("a", lambda: made[1], 60) == {3}


def test_many_threads_have_it_made_once(cache):
    make = Counting(0.1)
    with ThreadPoolExecutor(20) as pool:
        found = [*pool.map(lambda _: cache.get_or_set("a", make, 60), range(20))]
    assert found == [{"number": 1}] * 20
    assert make.calls == 1


def test_many_threads_of_two_caches_have_it_made_once(cache, server, make_cache):
    other, make = make_cache(server.port, timeout=20), Counting(0.1)
    with ThreadPoolExecutor(20) as pool:
        asked = [cache, other] * 10
        found = [*pool.map(lambda one: one.get_or_set("a", make, 60), asked)]
    assert found == [{"number": 1}] * 20
    assert make.calls == 1


def test_processes_have_it_made_once(cache, server, raw):
    program = textwrap.dedent(f"""
        import time
        from redis import Redis
        from eventyard.cache import CacheConfig, CacheManager
        raw = Redis(host="127.0.0.1", port={server.port})
        cache = CacheManager(
            CacheConfig(host="127.0.0.1", port={server.port}, timeout=20))
        def make():
            time.sleep(0.2)
            return raw.incr("made")
        raw.incr("ready")
        while raw.get("go") is None:
            time.sleep(0.005)
        print(cache.get_or_set("gathering:a", make, 60))
    """)
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    wait_until(lambda: raw.get("ready") == b"3", 60)
    raw.set("go", 1)
    printed = [one.communicate(timeout=60)[0].strip() for one in started]
    assert printed == [b"1"] * 3


def test_errors_are_the_callers_and_the_next_one_makes_it(cache, raw):
    def fail():
        raise LookupError("nothing there")

    with pytest.raises(LookupError):
        cache.get_or_set("a", fail, 60)
    assert raw.keys("*") == []
    assert cache.get_or_set("a", Counting(), 60) == {"number": 1}


@pytest.mark.parametrize(
    "remove",
    [
        lambda cache: cache.delete("gathering:a"),
        lambda cache: cache.delete_pattern("gathering:*"),
        lambda cache: cache.delete_pattern("gathering:a"),
        lambda cache: cache.invalidate_tag("t"),
    ],
)
def test_what_ends_while_it_is_made_is_not_kept(cache, remove):
    def make():
        remove(cache)
        return "made of what is old by now"

    made = cache.get_or_set("gathering:a", make, 60, tags=["t"])
    assert made == "made of what is old by now"
    assert cache.get("gathering:a") is None


def test_what_is_set_while_it_is_made_stays(cache):
    def make():
        cache.set("a", "newer")
        return "older"

    cache.get_or_set("a", make, 60)
    assert cache.get("a") == "newer"


def test_what_was_made_goes_with_its_tag(cache):
    cache.get_or_set("a", Counting(), 60, tags=["t"])
    assert cache.invalidate_tag("t") == 1
    assert cache.get("a") is None


def test_a_maker_that_hangs_is_waited_for_no_longer_than_patience(cache):
    goes_on, hangs = threading.Event(), threading.Event()

    def hang():
        hangs.set()
        goes_on.wait(60)
        return "late"

    first = ThreadPoolExecutor(1).submit(
        lambda: cache.get_or_set("a", hang, 60, patience=0.2)
    )
    assert hangs.wait(20)
    assert cache.get_or_set("a", lambda: "made", 60, patience=0.2) == "made"
    goes_on.set()
    assert first.result(20) == "late"
    # Who comes late does not write over what was made since.
    assert cache.get("a") == "made"


def test_the_old_is_handed_out_while_one_new_is_made(cache):
    make = Counting()
    assert cache.get_or_set("a", make, 0.05, stale=60) == {"number": 1}
    time.sleep(0.1)
    make.takes_s = 0.2
    begun = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        asked = range(10)
        found = [*pool.map(lambda _: cache.get_or_set("a", make, 60, stale=60), asked)]
    assert found == [{"number": 1}] * 10
    assert time.monotonic() - begun < 10
    wait_until(lambda: cache.get("a") == {"number": 2})
    assert cache.get_or_set("a", make, 60, stale=60) == {"number": 2}
    assert make.calls == 2


def test_a_new_one_that_fails_leaves_the_old(cache, caplog):
    def fail():
        raise LookupError("nothing there")

    cache.get_or_set("a", lambda: 1, 0.01, stale=60)
    time.sleep(0.05)
    assert cache.get_or_set("a", fail, 60, stale=60) == 1
    wait_until(lambda: "could not be made anew" in caplog.text)
    assert cache.get("a") == 1


@awaited
async def test_tasks_have_it_made_once(cache):
    make = Counting(0.1)
    asked = (cache.get_or_set_async("a", make.later, 60) for _ in range(20))
    assert await asyncio.gather(*asked) == [{"number": 1}] * 20
    assert make.calls == 1
    assert await cache.get_or_set_async("b", lambda: "plain", 60) == "plain"


@awaited
async def test_a_task_that_is_cancelled_lets_another_one_make_it(cache, raw):
    begun = asyncio.Event()

    async def hang():
        begun.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(cache.get_or_set_async("a", hang, 60))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await cache.get_or_set_async("a", lambda: 1, 60) == 1


@awaited
async def test_tasks_get_the_old_while_one_new_is_made(cache):
    make = Counting()
    await cache.get_or_set_async("a", make.later, 0.05, stale=60)
    await asyncio.sleep(0.1)
    make.takes_s = 0.1
    asked = (cache.get_or_set_async("a", make.later, 60, stale=60) for _ in range(10))
    assert await asyncio.gather(*asked) == [{"number": 1}] * 10
    await until(lambda: cache.get("a") == {"number": 2})
    assert make.calls == 2


@awaited
async def test_a_slow_redis_does_not_hold_up_the_loop(server, make_cache):
    from tests.slowproxy import SlowProxy

    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=20)
        proxy.delay_s = 0.5
        turned, asked = 0, asyncio.create_task(cache.get_or_set_async("a", Counting()))
        while not asked.done():
            await asyncio.sleep(0.01)
            turned += 1
        assert turned > 5


def test_alone_threads_have_it_made_once_in_their_process(make_cache):
    cache, make = make_cache(1, local_tier=True), Counting(0.1)
    with ThreadPoolExecutor(10) as pool:
        found = [*pool.map(lambda _: cache.get_or_set("a", make, 60), range(10))]
    assert found == [{"number": 1}] * 10
    assert make.calls == 1


@awaited
async def test_alone_tasks_have_it_made_once_in_their_process(make_cache):
    cache, make = make_cache(1, local_tier=True), Counting(0.05)
    asked = (cache.get_or_set_async("a", make.later, 60) for _ in range(10))
    assert await asyncio.gather(*asked) == [{"number": 1}] * 10
    assert make.calls == 1


def test_what_is_kept_near_is_not_asked_of_redis(near_cache, raw):
    make = Counting()
    near_cache.get_or_set("gathering:a", make, 60)
    wait_until(
        lambda: (
            near_cache.get_or_set("gathering:a", make, 60)
            and near_cache.get_stats()["local"]["entries"] == 1
        )
    )
    raw.config_resetstat()
    for _ in range(100):
        assert near_cache.get_or_set("gathering:a", make, 60) == {"number": 1}
    assert "cmdstat_get" not in raw.info("commandstats")
    assert make.calls == 1
