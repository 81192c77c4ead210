from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.errors import SubscriptionError
from eventyard.core.regexes import check_regex

pieces = st.recursive(
    st.sampled_from(["a", "b", "ab", ".", r"\w", "[ab]", "[^a]", "^", "$", ""]),
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})")
        | st.tuples(
            inner, st.sampled_from(["*", "+", "?", "+?", "{2,9}", "{3}", "{2,}"])
        ).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        r"^user\.(created|deleted)$",
        r".*timeout.*",
        r"error.*timeout",
        r"^foo.*bar.*baz$",
        r"^[a-z]+(\.[a-z]+)*$",
        r"^(?:user|agent)\..+\.done$",
        r"[\w.+-]+@[\w-]+\.[\w.-]+",
        r"^\d{1,3}(\.\d{1,3}){3}$",
        r"(?i)straße|é+",
        r"^\s*error:\s*.*$",
        r"https?://\S+",
        r"^([0-9a-f]{4}-){3}[0-9a-f]{12}$",
        r"(foo|bar)+!",
        r"(?>ab+)c",
        r"[^\s,]+,",
        r"a??b",
        r"[[a]",
    ],
)
def test_everyday_expressions_are_accepted(pattern):
    assert check_regex(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"(a+)+", "several ways"),
        (r"^(a+)+$", "several ways"),
        (r"(a*)*b", "several ways"),
        (r"(.*)*", "several ways"),
        (r"(a|a)*$", "several ways"),
        (r"(\d+|\w+)*$", "several ways"),
        (r"(\w+\s?)*$", "several ways"),
        (r"(a{0,100}){2,}x", "several ways"),
        (r"(?:a{1,50}){1,50}b", "several ways"),
        (r"(?:){4000000000}", "several ways"),
        ("(?i)(?:kx|\u212ax)*$", "several ways"),
        (r".*.*", "twice in a row"),
        (r"^a*a*b", "twice in a row"),
        (r"(.*)(.*)b", "too long"),
        (r".*a.*b", "too long"),
        (r"^.*a.*b.*c$", "too long"),
        ("a?" * 30 + "b", "too long"),
        (r"(?m)^.*a.*b", "too long"),
        (r"(a)\1", "refers back"),
        (r"(?P<x>a)(?P=x)", "refers back"),
        (r"(a)?(?(1)b|c)", "refers back"),
        (r"(?=a)b", "looks ahead"),
        (r"(?<!a)b", "looks ahead"),
        (r"(a", "cannot be read"),
        (r"a{99999999999999}", "cannot be read"),
        ("a" * 257, "more than 256"),
    ],
)
def test_dangerous_expressions_are_refused_with_the_reason(pattern, fault):
    with pytest.raises(SubscriptionError, match=fault):
        check_regex(pattern)


@given(pieces, st.sampled_from(["a", "b", "ab", "aab", "ba"]))
def test_what_is_accepted_is_soon_done(piece, text):
    try:
        search = check_regex(piece + "c").search
    except (SubscriptionError, re.error):
        return
    started = time.process_time()
    search((text * 4096)[:4096])
    assert time.process_time() - started < 5
