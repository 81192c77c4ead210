"""What is kept in the process: bounded, copied, and forgotten when others change it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventyard.cache._near import Near, deep_copy, glob
from tests.slowproxy import SlowProxy
from tests.unit.cache.conftest import wait_until

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)


def is_near(cache, key):
    return key in cache._store.near.entries


def bring_near(cache, key):
    """Read until it is kept near: its own writing is heard of first."""
    wait_until(lambda: cache.get(key) is not None and is_near(cache, key))


def near(most=100, most_bytes=10_000, most_s=60.0):
    made = Near(most, most_bytes, most_s)
    made.open = True
    return made


def put(tier, key, value=1, size=1, ttl=None, **more):
    return tier.put(key, value, size, ttl, epoch=tier.epoch, **more)


def test_what_was_read_once_is_not_asked_of_redis_again(near_cache, raw):
    near_cache.set("gathering:a", {"b": [1]})
    bring_near(near_cache, "gathering:a")
    raw.config_resetstat()
    for _ in range(100):
        assert near_cache.get("gathering:a") == {"b": [1]}
    assert not {"cmdstat_get", "cmdstat_evalsha"} & raw.info("commandstats").keys()


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.delete("gathering:a"),
        lambda raw: raw.set("gathering:a", 2),
        lambda raw: raw.pexpire("gathering:a", 1),
        lambda raw: raw.flushdb(),
    ],
)
def test_a_change_by_anybody_is_heard_of(near_cache, raw, change):
    near_cache.set("gathering:a", 1)
    bring_near(near_cache, "gathering:a")
    change(raw)
    wait_until(lambda: near_cache.get("gathering:a") != 1)


@pytest.mark.parametrize(
    "act",
    [
        "cache.delete('gathering:a')",
        "cache.delete_pattern('gathering:*')",
        "cache.invalidate_tag('t')",
        "cache.clear_all()",
        "cache.set('gathering:a', 2)",
    ],
)
def test_a_change_in_another_process_is_seen_in_this_one(near_cache, server, act):
    near_cache.set("gathering:a", 1, 60, tags=["t"])
    bring_near(near_cache, "gathering:a")
    program = textwrap.dedent(f"""
        from eventyard.cache import CacheConfig, CacheManager
        with CacheManager(CacheConfig(
            host="127.0.0.1", port={server.port}, timeout=20, local_tier=True
        )) as cache:
            assert cache.get("gathering:a") == 1
            {act}
    """)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    wait_until(lambda: near_cache.get("gathering:a") != 1)


@pytest.mark.parametrize(
    "remove",
    [
        lambda cache: cache.delete("gathering:a"),
        lambda cache: cache.delete_pattern("gathering:[a]"),
        lambda cache: cache.invalidate_tag("t"),
        lambda cache: cache.clear_all(),
        lambda cache: cache.set("gathering:a", 2),
    ],
)
def test_ones_own_change_holds_at_once_and_not_when_it_is_heard_of(
    near_cache, monkeypatch, remove
):
    near_cache.set("gathering:a", 1, 60, tags=["t"])
    bring_near(near_cache, "gathering:a")
    monkeypatch.setattr(near_cache._store.watch._listener, "_changed", lambda _: None)
    remove(near_cache)
    assert near_cache.get("gathering:a") in (None, 2)


def test_both_processes_see_each_others_changes_all_the_time(near_cache, server):
    program = textwrap.dedent(f"""
        import sys
        from eventyard.cache import CacheConfig, CacheManager
        cache = CacheManager(CacheConfig(
            host="127.0.0.1", port={server.port}, timeout=20, local_tier=True))
        for line in sys.stdin:
            while (seen := cache.get("gathering:n")) != int(line):
                pass
            cache.set("gathering:n", -seen)
        cache.close()
    """)
    other = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    for number in range(1, 101):
        near_cache.set("gathering:n", number)
        other.stdin.write(b"%d\n" % number)
        other.stdin.flush()
        wait_until(lambda n=number: near_cache.get("gathering:n") == -n, 60)
    other.stdin.close()
    assert other.wait(60) == 0


def test_nothing_is_kept_near_while_changes_go_unheard(server, make_cache, raw):
    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=20, local_tier=True)
        wait_until(lambda: cache._store.watch._heard)
        cache.set("gathering:a", 1)
        bring_near(cache, "gathering:a")
        proxy.cut()
        raw.set("gathering:a", 2)
        wait_until(lambda: cache.get("gathering:a") == 2)
        wait_until(lambda: cache._store.watch._heard)
        bring_near(cache, "gathering:a")
        assert cache.get("gathering:a") == 2


def test_a_listener_that_hears_nothing_any_more_notices(
    server, make_cache, raw, monkeypatch
):
    from eventyard.cache import _listening

    monkeypatch.setattr(_listening, "_LOOK_S", 0.05)
    monkeypatch.setattr(_listening, "_PING_S", 0.1)
    monkeypatch.setattr(_listening, "_SILENCE_S", 1.0)
    with SlowProxy(server.port) as proxy:
        cache = make_cache(proxy.port, timeout=20, local_tier=True)
        wait_until(lambda: cache._store.watch._heard)
        cache.set("gathering:a", 1)
        bring_near(cache, "gathering:a")
        proxy.delay_s = 60
        raw.set("gathering:a", 2)
        wait_until(lambda: not is_near(cache, "gathering:a"))
        monkeypatch.setattr(_listening, "_SILENCE_S", 12.0)
        proxy.delay_s = 0
        proxy.cut()
        wait_until(lambda: cache.get("gathering:a") == 2)


def test_alone_it_keeps_things_until_redis_is_there(own_server, make_cache):
    own_server.kill()
    cache = make_cache(own_server.port, local_tier=True, pause=0.1, timeout=5)
    assert cache.is_enabled() is True
    assert cache.client is None
    assert cache.set("gathering:a", (1, 2), 60, tags=["t"]) is True
    assert cache.get("gathering:a") == [1, 2]
    assert cache.get_stats()["total_keys"] == 1
    assert cache.delete_pattern("gathering:[a-c]") == 1
    assert cache.delete("gathering:a") is True
    cache.set("gathering:b", 1, 60, tags=["t"])
    assert cache.invalidate_tag("t") == 1
    cache.set("gathering:c", 1)
    own_server.start()
    # What it kept alone is not what all have: with Redis it counts no more.
    wait_until(lambda: cache.get("gathering:c") is None and cache.client is not None)
    assert cache.set("gathering:c", 2) is True
    wait_until(lambda: cache._store.watch._heard)
    bring_near(cache, "gathering:c")


def test_looking_for_redis_in_vain_leaves_what_is_kept_alone(make_cache, monkeypatch):
    from eventyard.cache import _listening

    looked, listen = [], _listening.Listener._listen

    def counted(listener):
        looked.append(1)
        listen(listener)

    monkeypatch.setattr(_listening, "_AGAIN_S", 0.01)
    monkeypatch.setattr(_listening.Listener, "_listen", counted)
    cache = make_cache(1, local_tier=True)
    cache.set("gathering:a", 1)
    before = len(looked)
    wait_until(lambda: len(looked) > before + 2)
    assert cache.get("gathering:a") == 1


def test_what_is_not_below_the_prefix_is_never_kept_near(near_cache):
    near_cache.set("elsewhere", 1)
    assert near_cache.get("elsewhere") == 1
    assert not is_near(near_cache, "elsewhere")


def test_nobody_can_spoil_what_others_get(near_cache):
    near_cache.set("gathering:a", {"b": [1, {"c": 2}]})
    bring_near(near_cache, "gathering:a")
    got = near_cache.get("gathering:a")
    got["b"][1]["c"] = 3
    got["b"].append(4)
    assert near_cache.get("gathering:a") == {"b": [1, {"c": 2}]}


@given(JSON)
def test_a_copy_is_the_same_and_shares_nothing(value):
    tier = near(most_bytes=10**9)
    assert put(tier, "a", value)
    _, kept, copier, *_ = tier.entries["a"]
    copied = kept if copier is None else copier(kept)
    assert copied == value
    for one, other in ((copied, value), (deep_copy([value])[0], value)):
        if isinstance(value, list | dict):
            assert one is not other
            parts = one.values() if isinstance(one, dict) else one
            others = other.values() if isinstance(other, dict) else other
            for mine, theirs in zip(parts, others, strict=True):
                assert not isinstance(mine, list | dict) or mine is not theirs


def test_it_ends_after_its_time_and_after_the_longest_that_is_allowed():
    tier = near(most_s=0.05)
    put(tier, "a", ttl=0.001)
    put(tier, "b", ttl=None)
    put(tier, "c", ttl=1_000)
    assert tier.entries["a"][0] <= time.monotonic() + 0.001
    assert tier.entries["b"][0] == pytest.approx(time.monotonic() + 0.05, abs=0.05)
    assert tier.entries["c"][0] == pytest.approx(time.monotonic() + 0.05, abs=0.05)


def test_it_never_lasts_longer_than_in_redis(near_cache):
    near_cache.set("gathering:a", 1, 0.3)
    time.sleep(0.01)
    near_cache.get("gathering:a")
    until = time.monotonic() + 0.3
    wait_until(lambda: near_cache.get("gathering:a") is None)
    assert time.monotonic() < until + 5


def test_it_holds_no_more_than_so_many_and_keeps_what_is_asked_for():
    tier = near(most=3)
    for key in "abc":
        put(tier, key)
    tier.entries["a"][3] = True
    put(tier, "d")
    assert [*tier.entries] == ["c", "d", "a"] or [*tier.entries] == ["c", "a", "d"]
    assert len(tier.entries) == 3


def test_it_holds_no_more_bytes_than_it_may():
    tier = near(most_bytes=10)
    put(tier, "a", size=4)
    put(tier, "a", size=5)
    put(tier, "b", size=5)
    assert tier.figures() == {"entries": 2, "bytes": 10}
    put(tier, "c", size=1)
    assert tier.figures() == {"entries": 2, "bytes": 6}
    assert put(tier, "d", size=11) is False


def test_what_was_read_before_something_was_dropped_is_not_kept():
    tier = near()
    epoch = tier.epoch
    tier.drop(["a"])
    assert tier.put("a", 1, 1, None, epoch=epoch) is False


def test_a_read_that_an_invalidation_overtakes_leaves_nothing_old(near_cache, raw):
    raw.set("gathering:a", 1)
    watch, reads = near_cache._store.watch, near_cache._store.far.run

    def run(act, otherwise):
        answer = reads(act, otherwise)
        if answer is not otherwise:
            before = watch.near.epoch
            raw.set("gathering:a", 2)
            wait_until(lambda: watch.near.epoch != before)
        return answer

    near_cache._store.far.run = run
    assert near_cache.get("gathering:a") == 1
    near_cache._store.far.run = reads
    assert near_cache.get("gathering:a") == 2


def test_a_child_of_this_process_begins_anew(near_cache):
    near_cache.set("gathering:a", 1)
    bring_near(near_cache, "gathering:a")
    child = os.fork()
    if child == 0:
        try:
            empty = not near_cache._store.near.entries
            right = near_cache.get("gathering:a") == 1
            wait_until(lambda: near_cache._store.watch._heard)
            os._exit(0 if empty and right else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert near_cache.get("gathering:a") == 1


def test_threads_may_do_everything_at_once():
    tier, failed = near(most=50), []

    def work(number):
        try:
            for turn in range(2_000):
                put(tier, str(turn % 97), size=number, tags=("t",))
                tier.entries.get(str(turn % 97))
                if turn % 50 == 0:
                    tier.drop_tag("t")
                if turn % 70 == 0:
                    tier.drop_like("1*")
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    held = tier.figures()
    assert held["entries"] <= 50
    tier.drop([*tier.entries])
    assert tier.figures() == {"entries": 0, "bytes": 0}


@example("[\\a\\[-]", ["-", "b", "\\", "["])
@example("[\\a-b]", ["-", "a", "b"])
@example("[b-a", ["-", "a", "b"])
@given(
    st.text("ab*?[]^-\\", max_size=8),
    # To a key without a name no pattern but `*` fits in Redis.
    st.lists(st.text("ab-^\\]", min_size=1, max_size=4), max_size=8),
)
def test_patterns_mean_here_what_they_mean_in_redis(shared, pattern, keys):
    from tests.unit.cache.conftest import redis_of

    wanted = {key for key in keys if glob(pattern).fullmatch(key)}
    with redis_of(shared) as client:
        client.flushall()
        for key in keys:
            client.set(key, 1)
        found = {key.decode() for key in client.keys(pattern)}
    assert wanted == found
