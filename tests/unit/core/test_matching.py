from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eventyard.core.errors import SubscriptionError
from eventyard.core.event import Event
from eventyard.core.filters import compile_filter
from eventyard.core.matching import Matcher
from eventyard.core.topics import compile_pattern

letters = st.sampled_from(["a", "b", "c"])
topics = st.lists(letters, min_size=1, max_size=4).map(".".join)
patterns = st.lists(
    letters | st.sampled_from(["*", "**", "#"]), min_size=1, max_size=4
).map(".".join)
filters = st.none() | st.fixed_dictionaries(
    {"priority": st.fixed_dictionaries({"$gte": st.integers(1, 10)})}
)
wants = st.tuples(st.lists(patterns, max_size=3), filters)


def naive(entries, topic, view):
    return [
        key
        for key, (texts, spec) in entries.items()
        if any(compile_pattern(text).matches(topic) for text in texts)
        and compile_filter(spec)(view)
    ]


@given(st.lists(wants, max_size=8), st.lists(topics, max_size=5), st.integers(1, 10))
def test_the_matcher_finds_what_trying_each_finds(entries, seen, priority):
    matcher = Matcher((key, *entry) for key, entry in enumerate(entries))
    view = {"priority": priority}
    for topic in seen:
        expected = naive(dict(enumerate(entries)), topic, view)
        assert matcher.match(topic, view) == expected


class Changing(RuleBasedStateMachine):
    """A matcher to which keys come and from which they go, beside a plain dict."""

    def __init__(self):
        super().__init__()
        self.matcher = Matcher()
        self.entries = {}

    @rule(key=st.integers(0, 4), entry=wants)
    def add(self, key, entry):
        self.entries.pop(key, None)
        self.entries[key] = entry
        self.matcher.add(key, *entry)

    @rule(key=st.integers(0, 4))
    def remove(self, key):
        if key in self.entries:
            del self.entries[key]
            self.matcher.remove(key)

    @rule(topic=topics, priority=st.integers(1, 10))
    def match(self, topic, priority):
        view = {"priority": priority}
        assert self.matcher.match(topic, view) == naive(self.entries, topic, view)

    @invariant()
    def nothing_is_left_of_what_was_removed(self):
        assert len(self.matcher) == len(self.entries)
        if not self.entries:
            assert not self.matcher._root.children


TestChanging = Changing.TestCase


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
