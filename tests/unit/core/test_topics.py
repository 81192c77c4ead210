from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.errors import SubscriptionError, ValidationError
from eventyard.core.topics import check_topic, compile_pattern, covers, overlaps
from tests.unit.core import strategies

letters = st.sampled_from(["a", "b"])
small_topics = st.lists(letters, min_size=1, max_size=6).map(".".join)
small_patterns = st.lists(
    letters | st.sampled_from(["*", "**", "#"]), min_size=1, max_size=5
).map(".".join)


def naive(segments: list[str], parts: list[str]) -> bool:
    if not segments:
        return not parts
    first, *rest = segments
    if first in ("**", "#"):
        return any(naive(rest, parts[skip:]) for skip in range(len(parts) + 1))
    return bool(parts) and first in ("*", parts[0]) and naive(rest, parts[1:])


def naive_match(pattern: str, topic: str) -> bool:
    return pattern == "*" or naive(pattern.split("."), topic.split("."))


SHORT_TOPICS = [
    ".".join(parts)
    for length in range(1, 6)
    for parts in itertools.product("abz", repeat=length)
]


@given(small_patterns, small_topics)
def test_a_pattern_matches_what_the_naive_matcher_matches(pattern, topic):
    assert compile_pattern(pattern).matches(topic) == naive_match(pattern, topic)


tiny_patterns = st.lists(
    letters | st.sampled_from(["*", "**", "#"]), min_size=1, max_size=4
).map(".".join)
#: Two patterns of four segments that overlap do so in a topic of eight at most.
TWO_LETTERED = [
    ".".join(parts)
    for length in range(1, 9)
    for parts in itertools.product("ab", repeat=length)
]


@given(tiny_patterns, tiny_patterns)
def test_overlapping_means_that_one_topic_fits_both(one, other):
    shared = any(
        naive_match(one, topic) and naive_match(other, topic) for topic in TWO_LETTERED
    )

    assert overlaps(one, other) == overlaps(other, one) == shared


@given(small_patterns, small_topics)
def test_a_topic_overlaps_what_matches_it(pattern, topic):
    assert overlaps(pattern, topic) == compile_pattern(pattern).matches(topic)


def test_many_wildcards_are_compared_at_once():
    one = ".".join(["**", "a"] * 40)
    other = ".".join(["**", "b"] * 40)

    assert not overlaps(one, other)
    assert overlaps(one, other + ".**")


@given(small_patterns, small_patterns)
def test_covering_means_matching_all_that_the_other_matches(outer, inner):
    missed = [
        topic
        for topic in SHORT_TOPICS
        if naive_match(inner, topic) and not naive_match(outer, topic)
    ]
    if missed:
        assert not covers(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("*", "a.b.c"),
        ("**", "*"),
        ("#", "**"),
        ("user.**", "user.created"),
        ("user.**", "user"),
        ("user.**", "user.*.x"),
        ("user.*", "user.created"),
        ("*.**", "**"),
        ("**.*", "*.**"),
        ("**.b", "a.**.b"),
        ("a.**.b.**", "a.*.b"),
    ],
)
def test_a_wider_pattern_covers_a_narrower_one(outer, inner):
    assert covers(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("user.*", "*"),
        ("user.*", "user.**"),
        ("user.*", "user"),
        ("*.*", "**"),
        ("user.created", "user.*"),
        ("**.a", "**"),
        ("a.**", "**.a"),
    ],
)
def test_a_pattern_does_not_cover_what_reaches_further(outer, inner):
    assert not covers(outer, inner)


def test_the_search_for_an_exception_is_given_up_when_it_is_hopeless():
    assert covers("**.a" + ".*" * 20, "**.a.a" + ".*" * 19) is False


def test_every_pattern_covers_itself():
    assert covers("**.a" + ".*" * 20, "#.a" + ".*" * 20)


def test_many_wildcards_do_not_multiply_the_work():
    pattern = compile_pattern(".".join(["**", "a"] * 50))
    assert not pattern.matches(".".join(["a"] * 100 + ["b"]))


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("user.*", "user.created", True),
        ("user.*", "user.created.v2", False),
        ("user.*", "user", False),
        ("*", "a.b.c", True),
        ("*.*", "a", False),
        ("user.#", "user", True),
        ("a:b/c_d-e.F1", "a:b/c_d-e.F1", True),
    ],
)
def test_known_cases(pattern, topic, expected):
    assert compile_pattern(pattern).matches(topic) is expected


@given(strategies.topics)
def test_a_topic_is_a_pattern_for_itself(topic):
    assert check_topic(topic) == topic
    assert compile_pattern(topic).matches(topic)


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        ("", "must not be empty"),
        ("a..b", "empty segment"),
        (".a", "empty segment"),
        ("a.", "empty segment"),
        ("a b", "'a b'"),
        ("a\n", "letters, digits"),
        ("é", "'é'"),
        ("user.*", r"wildcard '\*' stands in patterns only"),
        ("user.c*", r"'c\*'"),
        ("a" * 257, "at most 256 characters, not 257"),
        (5, "must be a string, not int"),
        (None, "must be a string"),
    ],
)
def test_a_bad_topic_is_refused_with_what_is_wrong(topic, fault):
    with pytest.raises(ValidationError, match=fault) as caught:
        check_topic(topic)
    assert caught.value.details == {"field": "type"}


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("", "must not be empty"),
        ("user.c*", "whole segments"),
        ("user.***", "whole segments"),
        ("a#", "whole segments"),
        ("a..*", "empty segment"),
        ("a b.*", "letters, digits"),
        ("*." * 200 + "*", "at most 256"),
    ],
)
def test_a_bad_pattern_is_refused_with_what_is_wrong(pattern, fault):
    with pytest.raises(SubscriptionError, match=fault):
        compile_pattern(pattern)


def test_a_pattern_is_a_value():
    pattern = compile_pattern("a.#.**.*")
    assert pattern.segments == ("a", "**", "*")
    assert {pattern: 1}[compile_pattern("a.#.**.*")] == 1
    with pytest.raises(AttributeError):
        pattern.text = "b"
