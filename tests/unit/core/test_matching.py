from __future__ import annotations

import random
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eventyard.core import _index, matching
from eventyard.core._index import Index
from eventyard.core._intervals import Interval, Intervals
from eventyard.core.errors import SubscriptionError
from eventyard.core.event import Event
from eventyard.core.filters import compile_conditions, compile_filter
from eventyard.core.matching import Matcher
from eventyard.core.topics import compile_pattern
from tests.properties import examples
from tests.unit.core import strategies

letters = st.sampled_from(["a", "b", "c"])
topics = st.lists(letters, min_size=1, max_size=4).map(".".join)
patterns = st.lists(
    letters | st.sampled_from(["*", "**", "#"]), min_size=1, max_size=4
).map(".".join)
# Most want the same topic, so that enough filters come together.
wants = st.tuples(
    st.lists(patterns, max_size=3) | st.just(["a"]), st.none() | strategies.filters
)


def fits(texts, topic):
    return any(compile_pattern(text).matches(topic) for text in texts)


def naive(entries, topic, view):
    return [
        key
        for key, (texts, spec) in entries.items()
        if fits(texts, topic) and compile_filter(spec)(view)
    ]


@contextmanager
def indexing_from(few, large, rounds=0):
    """Let small sets be indexed as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_FEW", few)
        patch.setattr(matching, "_LARGE", large)
        patch.setattr(matching, "_ROUNDS_BEFORE_INDEX", rounds)
        yield


@settings(deadline=None)
@given(
    st.lists(wants, max_size=12),
    st.lists(st.tuples(topics | st.just("a"), strategies.views), max_size=5),
    st.integers(0, 8),
    st.integers(1, 8),
)
def test_the_matcher_finds_what_trying_each_finds(entries, seen, few, large):
    keyed = dict(enumerate(entries))
    with indexing_from(few, large, rounds=1):
        matcher = Matcher((key, *entry) for key, entry in keyed.items())
        for topic, view in seen * 3:
            assert matcher.match(topic, view) == naive(keyed, topic, view)
            considered = [key for key, entry in keyed.items() if fits(entry[0], topic)]
            assert list(matcher.considered(topic)) == considered


@settings(deadline=None, max_examples=examples(300))
@given(st.lists(strategies.filters, min_size=1, max_size=8), strategies.views)
def test_an_index_passes_what_each_filter_passes(specs, view):
    index = Index((at, compile_conditions(spec)) for at, spec in enumerate(specs))
    expected = [at for at, spec in enumerate(specs) if compile_filter(spec)(view)]
    assert sorted(index.passing(view)) == expected


COMPARISONS = {
    "$eq": [*strategies.PLAIN, [1], {"b": 1}],
    "$in": [[], [1, 1.0, True], ["a", None], [float("nan"), "b"], ["a", [1]]],
    "$ne": [None, True, 1, "a"],
} | dict.fromkeys(["$gt", "$gte", "$lt", "$lte"], strategies.ORDERED)


@pytest.mark.parametrize("name", COMPARISONS)
def test_an_index_compares_any_two_values_as_a_filter_does(name):
    specs = [
        {"a": {name: operand, other: limit}}
        for operand in COMPARISONS[name]
        for other in COMPARISONS
        for limit in COMPARISONS[other]
    ]
    index = Index((at, compile_conditions(spec)) for at, spec in enumerate(specs))
    tests = [compile_filter(spec) for spec in specs]
    for value in (*strategies.PLAIN, *strategies.ODD, [1], {"b": 1}):
        view = {"a": value}
        expected = [at for at, passes in enumerate(tests) if passes(view)]
        assert sorted(index.passing(view)) == expected
    assert sorted(index.passing({})) == [
        at for at, passes in enumerate(tests) if passes({})
    ]


intervals = st.builds(
    Interval,
    st.none() | st.integers(0, 5),
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.booleans(),
).filter(lambda one: one.low is not None or one.high is not None)


def holds(one, value):
    above = one.low is None or one.low < value + (not one.low_open) * 0.25
    below = one.high is None or value - (not one.high_open) * 0.25 < one.high
    return above and below


@given(st.lists(intervals, max_size=12))
def test_a_value_is_held_by_the_intervals_around_it(items):
    held = Intervals((one, at) for at, one in enumerate(items))
    for value in (half / 2 for half in range(-1, 12)):
        expected = [at for at, one in enumerate(items) if holds(one, value)]
        assert sorted(held.holding(value)) == expected


class Changing(RuleBasedStateMachine):
    """A matcher to which keys come and from which they go, beside a plain dict."""

    def __init__(self):
        super().__init__()
        self.limits = ExitStack()
        self.limits.enter_context(indexing_from(2, 3))
        self.matcher = Matcher()
        self.entries = {}

    def teardown(self):
        self.limits.close()

    @rule(key=st.integers(0, 8), entry=wants)
    def add(self, key, entry):
        self.entries.pop(key, None)
        self.entries[key] = entry
        self.matcher.add(key, *entry)

    @rule(key=st.integers(0, 8))
    def remove(self, key):
        if key in self.entries:
            del self.entries[key]
            self.matcher.remove(key)

    @rule(topic=topics | st.just("a"), view=strategies.views)
    def match(self, topic, view):
        expected = naive(self.entries, topic, view)
        assert self.matcher.match(topic, view) == expected
        assert self.matcher.match(topic, view) == expected

    @rule(topic=topics)
    def consider(self, topic):
        wanted = [key for key, entry in self.entries.items() if fits(entry[0], topic)]
        assert list(self.matcher.considered(topic)) == wanted

    @invariant()
    def nothing_is_left_of_what_was_removed(self):
        assert len(self.matcher) == len(self.entries)
        if not self.entries:
            assert not self.matcher._root.children
            assert not self.matcher._parts


Changing.TestCase.settings = settings(deadline=None, stateful_step_count=30)
TestChanging = Changing.TestCase


def many(count, rng):
    """Filters as people write them, over few paths."""
    for key in range(count):
        low = rng.randrange(100)
        yield (
            key,
            [rng.choice(["order.**", "order.*", "order.created", "**"])],
            rng.choice(
                [
                    None,
                    {"payload.user": f"u{low}"},
                    {"payload.user": f"u{low}", "payload.amount": {"$gt": low}},
                    {"payload.amount": {"$gte": low, "$lt": low + 9}},
                    {"payload.state": {"$in": ["new", "paid"]}},
                    {"timestamp": {"$lt": f"2026-01-{1 + low % 28:02}"}},
                    {"$or": [{"priority": low % 10}, {"payload.amount": low}]},
                ]
            ),
        )


def test_large_sets_are_matched_like_small_ones_as_they_come_and_go():
    rng = random.Random(4)
    entries = {key: (texts, spec) for key, texts, spec in many(600, rng)}
    matcher = Matcher((key, *entry) for key, entry in entries.items())
    for round_ in range(90):
        view = {
            "priority": rng.randint(1, 10),
            "timestamp": f"2026-01-{1 + rng.randrange(28):02}T12:00:00Z",
            "payload": {
                "user": f"u{rng.randrange(100)}",
                "amount": rng.choice([rng.randrange(100), rng.random() * 100, "7"]),
                "state": rng.choice(["new", "sent"]),
            },
        }
        expected = naive(entries, "order.created", view)
        assert len(expected) > 20
        assert matcher.match("order.created", view) == expected
        if round_ == 30:
            gone = expected[0]
            entry = entries.pop(gone)
            matcher.remove(gone)
        if round_ == 60:
            entries[gone] = entry
            matcher.add(gone, *entry)


def test_an_event_is_matched_by_type_and_content():
    matcher = Matcher(
        [
            ("all", ["*"], None),
            ("urgent", ["user.*", "user.**"], {"priority": {"$gte": 7}}),
            ("other", ["agent.#"], {}),
        ]
    )
    assert matcher.match_event(Event("user.created", priority=8)) == ["all", "urgent"]
    assert matcher.match_event(Event("user.created")) == ["all"]
    assert matcher.match_event(Event("agent")) == ["all", "other"]


def test_one_pattern_may_stand_alone():
    matcher = Matcher([("a", "user.*", None)])
    assert matcher.match("user.created", {}) == ["a"]


def test_a_bad_entry_changes_nothing():
    matcher = Matcher([("a", ["x"], None)])
    with pytest.raises(SubscriptionError):
        matcher.add("a", ["y", "z*"])
    with pytest.raises(SubscriptionError):
        matcher.add("a", ["y"], {"f": {"$like": 1}})
    assert matcher.match("x", {}) == ["a"]
    assert "a" in matcher


def test_removing_what_is_not_there_is_an_error():
    with pytest.raises(KeyError, match="a"):
        Matcher().remove("a")


def test_more_topics_than_the_cache_holds_are_matched_all_the_same():
    matcher = Matcher([("a", ["t.*"], None)])
    for number in range(5000):
        assert matcher.match(f"t.{number}", {}) == ["a"]
    assert len(matcher._cache) <= 4096


def conditions_tried(monkeypatch, specs, view):
    """Count which of the filters are tried at all once they are indexed."""
    tried = []
    require_all = _index.require_all

    def watched(conditions):
        passes = require_all(conditions)
        return lambda view: tried.append(conditions) or passes(view)

    monkeypatch.setattr(_index, "require_all", watched)
    index = Index((at, compile_conditions(spec)) for at, spec in enumerate(specs))
    index.passing(view)
    return len(tried)


def test_the_condition_that_lets_the_least_pass_is_looked_up(monkeypatch):
    specs = [
        {
            "payload.kind": "order",
            "payload.amount": {"$gt": 1},
            "payload.user": f"u{number}",
        }
        for number in range(100)
    ]
    view = {"payload": {"kind": "order", "amount": 5, "user": "u7"}}
    assert conditions_tried(monkeypatch, specs, view) == 1


def test_narrow_ranges_are_found_without_trying_the_others(monkeypatch):
    specs = [
        {"amount": {"$gte": n, "$lt": n + 1}, "flag": {"$ne": 1}} for n in range(99)
    ]
    assert conditions_tried(monkeypatch, specs, {"amount": 40.5}) == 1


def test_topics_that_the_same_subscriptions_fit_share_one_index():
    entries = [(n, ["order.*", "order.*.*"], {"user": n}) for n in range(100)]
    matcher = Matcher(entries)
    for number in range(200):
        for topic in (f"order.t{number}", f"order.t{number}.eu"):
            assert matcher.match(topic, {"user": 7}) == [7]
    assert len({group.parts for group in matcher._cache.values()}) == 1


def test_what_stands_at_one_large_pattern_is_not_indexed_again_for_each_topic():
    entries = [(n, ["order.**"], {"user": n}) for n in range(100)]
    entries += [(f"t{n}", [f"order.t{n}"], None) for n in range(50)]
    matcher = Matcher(entries)
    for number in range(50):
        topic = f"order.t{number}"
        assert matcher.match(topic, {"user": 7}) == [7, f"t{number}"]
        assert matcher.considered(topic) == (*range(100), f"t{number}")
    assert len(matcher._parts) == 1 + 50


def test_considered_keys_that_are_kept_have_a_limit(monkeypatch):
    monkeypatch.setattr(matching, "_MOST_CACHED_KEYS", 150)
    matcher = Matcher((n, [f"t{n % 10}", "x.*"], None) for n in range(100))
    for number in range(10):
        assert len(matcher.considered(f"x.{number}")) == 100
        assert matcher.considered(f"t{number}") == tuple(range(number, 100, 10))
        assert sum(map(len, matcher._considered.values())) <= 150


def test_a_set_is_not_indexed_for_a_few_events():
    matcher = Matcher((n, ["a"], {"user": n}) for n in range(100))
    for _ in range(5):
        assert matcher.match("a", {"user": 3}) == [3]
    assert [part._index for part in matcher._parts.values()] == [None]


def test_a_filter_that_is_changed_afterwards_is_matched_as_it_was():
    wanted = [1, 2]
    matcher = Matcher((n, ["a"], {"user": {"$in": wanted}}) for n in range(20))
    wanted.clear()
    for _ in range(40):
        assert len(matcher.match("a", {"user": 1})) == 20
