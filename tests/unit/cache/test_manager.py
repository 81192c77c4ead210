"""Values by key, in a real Redis."""

from __future__ import annotations

import json
import threading

import pytest

from eventyard.cache import CacheConfig, CacheManager

JSON_VALUES = [0, 1.5, "", "é\n\0", True, [], [1, [2, {"a": None}]], {"a": {"b": [1]}}]


@pytest.mark.parametrize("value", JSON_VALUES)
def test_a_value_comes_back_as_it_was(cache, value):
    assert cache.set("gathering:a", value) is True
    assert cache.get("gathering:a") == value


def test_what_was_never_set_is_none(cache):
    assert cache.get("gathering:nothing") is None


def test_redis_holds_json_text_under_the_key_itself(cache, raw):
    cache.set("anything", {"a": [1, "é"]})
    assert json.loads(raw.get("anything")) == {"a": [1, "é"]}


def test_values_end_after_their_time(cache, raw):
    cache.set("a", 1, ttl=100)
    cache.set("b", 1, 0.03)
    assert 99 <= raw.pttl("a") / 1000 <= 100
    threading.Event().wait(0.05)
    assert cache.get("b") is None


@pytest.mark.parametrize("never", [None, 0])
def test_without_a_time_values_stay(cache, raw, never):
    cache.set("a", 1, ttl=100)
    cache.set("a", 2, ttl=never)
    assert raw.ttl("a") == -1


@pytest.mark.parametrize(
    ("value", "ttl"),
    [
        ({1, 2}, None),
        (float("nan"), None),
        (object(), None),
        (1, -1),
        (1, "soon"),
        (1, float("nan")),
        (1, float("inf")),
    ],
)
def test_what_cannot_be_kept_is_refused_without_an_error(cache, value, ttl):
    assert cache.set("a", value, ttl) is False
    assert cache.get("a") is None


def test_a_ring_is_refused_as_well(cache):
    ring = []
    ring.append(ring)
    assert cache.set("a", ring) is False


def test_what_others_wrote_and_is_no_json_is_none(cache, raw):
    raw.set("a", b"\x80\x04pickle")
    assert cache.get("a") is None
    assert cache.set("a", 1) is True
    assert cache.get("a") == 1


def test_what_is_no_text_in_redis_is_none_and_redis_is_still_asked(cache, raw):
    raw.rpush("a", 1)
    assert cache.get("a") is None
    cache.set("b", 1)
    assert cache.get("b") == 1


def test_deleting_says_true_whether_there_was_one_or_not(cache):
    cache.set("a", 1)
    assert cache.delete("a") is True
    assert cache.get("a") is None
    assert cache.delete("a") is True


def test_a_pattern_removes_what_it_fits_and_counts_it(cache):
    for number in range(2_500):
        cache.client.set(f"gathering:x:{number}", "1")
    cache.set("gathering:y", 1)
    assert cache.delete_pattern("gathering:x:*") == 2_500
    assert cache.get("gathering:y") == 1
    assert cache.delete_pattern("gathering:[yz]") == 1
    assert cache.delete_pattern("gathering:*") == 0


def test_patterns_never_ask_for_all_keys_at_once(cache, raw):
    raw.config_resetstat()
    cache.set("gathering:a", 1)
    cache.delete_pattern("gathering:*")
    cache.clear_all()
    cache.get_stats()
    told = raw.info("commandstats")
    assert "cmdstat_scan" in told
    assert "cmdstat_keys" not in told


def test_clearing_leaves_what_is_not_below_the_prefix(server, make_cache, raw):
    cache = make_cache(server.port, key_prefix="a*:", timeout=20)
    raw.set("abc:1", 1)
    cache.set("a*:1", 1, tags=["t"])
    cache.set("a*:2", 1)
    assert cache.clear_all() == 2
    assert raw.keys("*") == [b"abc:1"]


def test_a_tag_removes_what_was_kept_with_it(cache):
    cache.set("a", 1, tags=["red", "big"])
    cache.set("b", 1, 60, tags=["red"])
    cache.set("c", 1, tags=["big"])
    assert cache.invalidate_tag("red") == 2
    assert [cache.get(key) for key in "abc"] == [None, None, 1]
    assert cache.invalidate_tag("red") == 0
    assert cache.invalidate_tag("big") == 1


def test_a_tag_of_many_keys_removes_them_all(cache):
    for number in range(2_100):
        cache.set(f"k{number}", 1, 60, tags=["t"])
    assert cache.invalidate_tag("t") == 2_100


def test_a_tag_forgets_keys_that_ended_and_ends_with_the_last(cache, raw):
    cache.set("a", 1, 0.01, tags=["t"])
    threading.Event().wait(0.1)
    cache.set("b", 1, 1_000, tags=["t"])
    name = "gathering:~tag:t"
    assert raw.zrange(name, 0, -1) == [b"b"]
    assert 0 < raw.ttl(name) <= 1_002
    cache.set("c", 1, tags=["t"])
    assert raw.ttl(name) == -1


def test_models_have_vectors_of_their_own(cache):
    assert cache.set_embedding("text", (0.5, 1)) is True
    cache.set_embedding("text", [2.0], model="large")
    assert cache.get_embedding("text") == [0.5, 1]
    assert cache.get_embedding("text", model="large") == [2.0]
    assert cache.get_embedding("text", model="small") is None


def test_what_else_an_answer_depends_on_tells_answers_apart(cache):
    cache.set_rag_results(1, "q", [1], variant="limit=1")
    assert cache.get_rag_results(1, "q", variant="limit=5") is None
    assert cache.get_rag_results(1, "q") is None
    assert cache.get_rag_results("1", "q", variant="limit=1") == [1]


def test_all_variants_of_an_agent_are_removed_and_nobody_elses(cache):
    cache.set_rag_results(1, "q", [1], variant="limit=1")
    cache.set_rag_results(1, "q", [1])
    cache.set_rag_results(11, "q", [11])
    cache.set_rag_results("1:rag", "q", [2])
    assert cache.invalidate_rag_results(1) == 2
    assert cache.get_rag_results(1, "q") is None
    assert cache.get_rag_results(11, "q") == [11]
    assert cache.invalidate_rag_results("*") == 0
    assert cache.invalidate_all_rag_results() == 2


def test_contexts_and_answers_are_kept(cache):
    cache.set_circle_context(3, {"members": [1]})
    cache.set_llm_response("abc", "answer")
    assert cache.get_circle_context("3") == {"members": [1]}
    assert cache.get_llm_response("abc") == "answer"
    assert cache.invalidate_circle_context(3) is True
    assert cache.get_circle_context(3) is None


def test_lifetimes_are_those_of_the_configuration_unless_a_call_names_one(cache, raw):
    cache.set_embedding("t", [1.0], 0)
    cache.set_rag_results(1, "q", [])
    cache.set_circle_context(1, {}, ttl=7)
    cache.set_llm_response("h", 1)
    left = {key.decode().split(":")[1]: raw.ttl(key) for key in raw.keys("*")}
    left.pop("~tag", None)
    assert left == {
        "embedding": pytest.approx(86_400, abs=20),
        "rag": pytest.approx(300, abs=20),
        "circle": pytest.approx(7, abs=7),
        "llm": pytest.approx(3_600, abs=20),
    }


def test_statistics_are_those_of_this_process(cache, server, make_cache, raw):
    other = make_cache(server.port, timeout=20)
    cache.set("gathering:a", 1, tags=["t"])
    raw.set("elsewhere", 1)
    other.get("gathering:a")
    for key in ("gathering:a", "gathering:a", "gathering:b"):
        cache.get(key)
    assert cache.get_stats() == {
        "enabled": True,
        "host": "127.0.0.1",
        "port": server.port,
        "db": 0,
        "total_keys": 1,
        "hits": 2,
        "misses": 1,
        "hit_rate": 66.67,
    }
    assert other.get_stats()["hits"] == 1


def test_without_traffic_the_rate_is_nought(cache):
    assert cache.get_stats()["hit_rate"] == 0.0
    assert CacheManager._calculate_hit_rate({}) == 0.0
    told = {"keyspace_hits": 8_543, "keyspace_misses": 1_234}
    assert CacheManager._calculate_hit_rate(told) == 87.38


def test_a_password_opens_and_none_is_turned_away(tmp_path, make_cache):
    from tests import redisserver

    redisserver.require()
    with redisserver.RedisServer(tmp_path, password="s3cret") as server:
        assert make_cache(server.port, password="s3cret").set("a", 1) is True
        refused = make_cache(server.port)
        assert refused.is_enabled() is False
        assert refused.set("a", 1) is False


def test_a_closed_cache_keeps_nothing_and_raises_nothing(server):
    with CacheManager(CacheConfig(host="127.0.0.1", port=server.port)) as cache:
        assert cache.set("a", 1) is True
    assert cache.is_enabled() is False
    assert (cache.get("a"), cache.set("a", 1), cache.delete("a")) == (
        None,
        False,
        False,
    )
    cache.close()


def test_threads_share_a_cache(cache):
    def work(number):
        for turn in range(50):
            cache.set(f"gathering:{number}", turn)
            assert cache.get(f"gathering:{number}") == turn

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert cache.get_stats()["hits"] == 400


def test_figures_are_told_without_asking_redis(cache, raw):
    cache.set("a", 1)
    assert [cache.get("a"), cache.get("b"), cache.get("c")] == [1, None, None]
    before = raw.info("stats")["total_commands_processed"]
    told = cache.figures()
    asked = raw.info("stats")["total_commands_processed"] - before
    assert (told["enabled"], told["hits"], told["misses"]) == (True, 1, 2)
    assert told["hit_rate"] == cache.get_stats()["hit_rate"] == 33.33
    assert asked == 1


def test_figures_of_a_cache_that_is_away_say_why_and_no_more(make_cache):
    cache = make_cache(1, password="hunter2")
    cache.get("a")
    told = cache.figures()
    assert told["enabled"] is False
    assert told["reason"] == "Redis does not answer"
