"""W3C trace context, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core import traces
from eventyard.core.traces import TraceContext

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
hexadecimal = st.text("0123456789abcdef")


def ids(digits):
    return st.text("0123456789abcdef", min_size=digits, max_size=digits).filter(
        lambda text: set(text) != {"0"}
    )


contexts = st.builds(
    TraceContext, ids(32), ids(16), st.integers(0, 1), st.sampled_from(["", "a=b"])
)


@given(contexts)
def test_what_is_written_is_read_back(context):
    assert traces.read(context.headers()) == context


@given(st.one_of(st.text(), hexadecimal, st.none(), st.integers(), st.binary()))
def test_nothing_that_is_no_traceparent_is_an_error(value):
    found = traces.parse(value, value)
    assert found is None or found.trace_id in value


@given(contexts, st.integers(0, 54), st.characters())
def test_a_changed_character_makes_another_context_or_none(context, at, character):
    text = context.parent
    changed = text[:at] + character + text[at + 1 :]
    found = traces.parse(changed)
    assert found is None or (at < 2 or found != context or changed == text or at > 52)


@given(st.lists(st.text(), max_size=40).map(",".join))
def test_a_tracestate_that_is_kept_is_read_the_same_again(text):
    found = traces.parse(HEADER, text)
    assert found is not None
    assert traces.parse(HEADER, found.state) == found
    assert found.state == "" or found.state.isascii()


@pytest.mark.parametrize(
    "text",
    [
        HEADER.upper(),
        HEADER[:-1],
        HEADER + "0",
        f"{HEADER}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"{HEADER},{HEADER}",
        HEADER + "\n",
        "",
    ],
)
def test_what_the_standard_forbids_is_no_trace(text):
    assert traces.parse(text) is None


@pytest.mark.parametrize("text", [f"cc-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-ff-x"])
def test_a_later_version_is_read_as_far_as_it_is_known(text):
    found = traces.parse(text)
    assert (found.trace_id, found.span_id, found.flags) == (TRACE, SPAN, 1)
    assert found.parent == HEADER


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("congo=t61rcWkgMzE, rojo=00f067aa0ba902b7", True),
        ("fw529a3039@dt=FfAAAQ", True),
        ("a=1,,b=2", True),
        ("a=1,a=2", False),
        ("A=1", False),
        ("a", False),
        ("a=1\r\nHost: x", False),
        ("a=\u00e9", False),
        (",".join(f"k{n}=1" for n in range(33)), False),
        ("a=" + "x" * 600, False),
    ],
)
def test_a_bad_tracestate_is_dropped_by_itself(state, kept):
    found = traces.parse(HEADER, state)
    assert found.parent == HEADER
    assert bool(found.state) is kept


@given(st.floats(0, 1))
def test_a_rate_decides_as_opentelemetry_does(rate):
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

    sampler = TraceIdRatioBased(rate)
    for _ in range(20):
        trace_id = traces.new_trace_id()
        theirs = sampler.should_sample(None, int(trace_id, 16), "a")
        ours = traces.is_sampled(trace_id, rate)
        assert ours is (theirs.decision is Decision.RECORD_AND_SAMPLE)


def test_a_trace_is_begun_and_a_child_stays_in_it():
    always, never = traces.root(1), traces.root(0)
    assert always.is_sampled
    assert not never.is_sampled
    child = always.child()
    assert (child.trace_id, child.flags) == (always.trace_id, 1)
    assert child.span_id != always.span_id


def test_headers_carry_one_context():
    headers = {"a": "b", "traceparent": "nonsense", "tracestate": "x=y"}
    context = traces.parse(HEADER)
    assert traces.within(headers, context) == {"a": "b", "traceparent": HEADER}
    assert traces.without(headers) == {"a": "b"}
