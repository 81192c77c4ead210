"""Topics, the dotted types of events, and the patterns that select them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from eventyard.core.errors import SubscriptionError, ValidationError

MAX_LENGTH = 256

#: Stands for exactly one segment.
ONE = "*"
#: Stands for zero or more segments; `#` and a lone `*` are other spellings of it.
MANY = "**"

_TOPIC = re.compile(r"[A-Za-z0-9_:/-]+(?:\.[A-Za-z0-9_:/-]+)*")
_SEGMENT = re.compile(r"[A-Za-z0-9_:/-]+")
_WILDCARDS = {ONE: ONE, MANY: MANY, "#": MANY}
_ANY_OTHER = "\0"
_MOST_STEPS = 10_000


def check_topic(topic: object) -> str:
    """Return the topic as it came, or raise a ValidationError that says what is wrong."""
    if (
        isinstance(topic, str)
        and len(topic) <= MAX_LENGTH
        and _TOPIC.fullmatch(topic) is not None
    ):
        return topic
    raise ValidationError(f"type {_topic_fault(topic)}", details={"field": "type"})


def _topic_fault(topic: object) -> str:
    if not isinstance(topic, str):
        return f"must be a string, not {type(topic).__name__}"
    fault = _length_fault(topic)
    if fault is not None:
        return fault
    wild = next((part for part in topic.split(".") if part in _WILDCARDS), None)
    if wild is not None:
        return f"must be a plain topic: the wildcard {wild!r} stands in patterns only"
    return next(filter(None, map(_segment_fault, topic.split("."))))


def _length_fault(text: str) -> str | None:
    if not text:
        return "must not be empty"
    if len(text) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters, not {len(text)}"
    return None


def _segment_fault(segment: str) -> str | None:
    if not segment:
        return "must not have an empty segment"
    if _SEGMENT.fullmatch(segment) is None:
        return (
            f"has the segment {segment!r}; letters, digits and _ : / - may stand in one"
        )
    return None


@dataclass(frozen=True, slots=True)
class TopicPattern:
    """A pattern over topics; `segments` holds every multi-wildcard as `**`."""

    text: str
    segments: tuple[str, ...]

    def matches(self, topic: str) -> bool:
        """Tell whether the whole of `topic` fits."""
        segments = self.segments
        if segments == (MANY,):
            return True
        parts = topic.split(".")
        if MANY in segments:
            return _glob(segments, parts)
        return len(parts) == len(segments) and all(map(_fits, segments, parts))


def _fits(segment: str, part: str) -> bool:
    return segment in (part, ONE)


def _glob(segments: tuple[str, ...], parts: list[str]) -> bool:
    # Only the latest `**` is ever widened: an earlier one cannot do better, so this
    # stays within len(segments) * len(parts) steps.
    at = part = 0
    resume: tuple[int, int] | None = None
    while part < len(parts):
        if at < len(segments) and segments[at] == MANY:
            at, resume = at + 1, (at + 1, part)
        elif at < len(segments) and _fits(segments[at], parts[part]):
            at, part = at + 1, part + 1
        elif resume is not None:
            at, part = resume[0], resume[1] + 1
            resume = (at, part)
        else:
            return False
    return all(segment == MANY for segment in segments[at:])


@functools.lru_cache(maxsize=4096)
def compile_pattern(text: str) -> TopicPattern:
    """Read a pattern, or raise a SubscriptionError that says what is wrong with it."""
    fault = _length_fault(text)
    if fault is not None:
        raise _bad_pattern(text, fault)
    if text == ONE:
        return TopicPattern(text, (MANY,))
    segments: list[str] = []
    for part in text.split("."):
        segment = _pattern_segment(text, part)
        if not (segment == MANY and segments[-1:] == [MANY]):
            segments.append(segment)
    return TopicPattern(text, tuple(segments))


def _pattern_segment(text: str, part: str) -> str:
    if part in _WILDCARDS:
        return _WILDCARDS[part]
    if "*" in part or "#" in part:
        raise _bad_pattern(text, f"has {part!r}; a wildcard stands for whole segments")
    fault = _segment_fault(part)
    if fault is not None:
        raise _bad_pattern(text, fault)
    return part


def _bad_pattern(text: str, fault: str) -> SubscriptionError:
    shown = text[:64]
    return SubscriptionError(f"pattern {shown!r} {fault}", details={"pattern": shown})


@functools.lru_cache(maxsize=4096)
def covers(outer: str, inner: str) -> bool:
    """
    Tell whether every topic that `inner` matches is matched by `outer` too.

    True is always right. False may be too careful, but only for patterns with so
    many wildcards that the search for an exception is given up.
    """
    wide = compile_pattern(outer).segments
    narrow = compile_pattern(inner).segments
    if wide == narrow:
        return True
    for steps, (at, states) in enumerate(_explore(wide, narrow)):
        missed = _accepts(narrow, at) and not states >> len(wide) & 1
        if missed or steps > _MOST_STEPS:
            return False
    return True


@functools.lru_cache(maxsize=4096)
def overlaps(one: str, other: str) -> bool:
    """Tell whether there are topics that both patterns match."""
    left, right = compile_pattern(one).segments, compile_pattern(other).segments
    end = (len(left), len(right))
    seen, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        at = waiting.pop()
        if at == end:
            return True
        reached = [step for step in _common(left, right, *at) if step not in seen]
        seen.update(reached)
        waiting += reached
    return False


def _common(
    left: tuple[str, ...], right: tuple[str, ...], i: int, j: int
) -> list[tuple[int, int]]:
    mine = left[i] if i < len(left) else None
    theirs = right[j] if j < len(right) else None
    if MANY in (mine, theirs):
        # It stands for nothing, or for one more segment of the other.
        return [(i + 1, j)] * (mine is not None) + [(i, j + 1)] * (theirs is not None)
    if None in (mine, theirs) or (ONE not in (mine, theirs) and mine != theirs):
        return []
    return [(i + 1, j + 1)]


def _explore(
    wide: tuple[str, ...], narrow: tuple[str, ...]
) -> Iterator[tuple[int, int]]:
    # Segments that `wide` does not name are all alike to it: one stands for them.
    alphabet = {*wide, _ANY_OTHER} - {ONE, MANY}
    start = (0, _closure(wide, 1))
    seen, waiting = {start}, [start]
    while waiting:
        at, states = waiting.pop()
        for symbol, after in _moves(narrow, at, alphabet):
            reached = (after, _step(wide, states, symbol))
            yield reached
            if reached not in seen:
                seen.add(reached)
                waiting.append(reached)


def _moves(
    segments: tuple[str, ...], at: int, alphabet: set[str]
) -> list[tuple[str, int]]:
    if at == len(segments):
        return []
    segment = segments[at]
    if segment == MANY:
        stay = [(symbol, at) for symbol in alphabet]
        return stay + _moves(segments, at + 1, alphabet)
    if segment == ONE:
        return [(symbol, at + 1) for symbol in alphabet]
    return [(segment, at + 1)]


def _accepts(segments: tuple[str, ...], at: int) -> bool:
    return all(segment == MANY for segment in segments[at:])


def _step(segments: tuple[str, ...], states: int, symbol: str) -> int:
    reached = 0
    for at, segment in enumerate(segments):
        if not states >> at & 1:
            continue
        if segment == MANY:
            reached |= 1 << at
        elif segment in (ONE, symbol):
            reached |= 1 << at + 1
    return _closure(segments, reached)


def _closure(segments: tuple[str, ...], states: int) -> int:
    for at, segment in enumerate(segments):
        if segment == MANY and states >> at & 1:
            states |= 1 << at + 1
    return states
