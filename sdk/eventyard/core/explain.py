"""Why an event does not match: the first condition that fails, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eventyard.core._phrases import at_most, describe, hint_for, shown
from eventyard.core.filters import MISSING, compile_filter, follow, is_operators
from eventyard.core.topics import MANY, ONE, TopicPattern, compile_pattern

_Spec = Mapping[str, Any]
_MOST_PATTERNS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Miss:
    """The condition for which an event does not match."""

    #: As it was written, alone: `{"payload.amount": {"$gt": 100}}`, `{"topics": [...]}`.
    condition: Mapping[str, Any]
    #: For people: what is there, what was asked for, and what may have been meant.
    message: str
    #: What stands at the path; None when nothing does.
    found: Any

    def to_dict(self) -> dict[str, Any]:
        """Return `condition`, `message` and `found` as JSON has them."""
        return {
            "condition": dict(self.condition),
            "message": self.message,
            "found": self.found,
        }


def explain(
    topics: Iterable[str], spec: _Spec | None, topic: str, view: Mapping[str, Any]
) -> Miss | None:
    """
    Tell why an event of `topic` with this view does not match; None if it does.

    The topics are looked at first, then the conditions in the order in which they
    were written. Raises a SubscriptionError on a bad pattern or filter.
    """
    texts = (topics,) if isinstance(topics, str) else tuple(topics)
    passes = compile_filter(spec)
    if not [text for text in texts if compile_pattern(text).matches(topic)]:
        return Miss({"topics": list(texts)}, _topic_message(texts, topic), topic)
    return None if passes(view) else _first(_misses(spec or {}, view))


def _first(misses: Iterator[Miss]) -> Miss:
    return next(misses)


def _misses(spec: _Spec, view: Mapping[str, Any]) -> Iterator[Miss]:
    """Yield what fails of a filter, in the order in which it was written."""
    for key, value in spec.items():
        if key == "$and":
            for part in value:
                yield from _misses(part, view)
        elif compile_filter({key: value})(view):
            continue
        elif key == "$or":
            first = _first(_misses(value[0], view))
            yield _none_of({key: value}, value, first)
        elif key == "$not":
            message = f"{shown(value)} holds, and $not forbids it"
            yield Miss({key: value}, message, _found_by(value, view))
        elif is_operators(value):
            yield from _field_misses(key, value, view)
        else:
            yield _field_miss(key, "$eq", value, view, {key: value})


def _field_misses(path: str, spec: _Spec, view: Mapping[str, Any]) -> Iterator[Miss]:
    for name, operand in spec.items():
        condition = {path: {name: operand}}
        if name == "$and":
            for part in operand:
                yield from _field_misses(path, part, view)
        elif compile_filter(condition)(view):
            continue
        elif name == "$or":
            first = _first(_field_misses(path, operand[0], view))
            yield _none_of(condition, operand, first)
        else:
            yield _field_miss(path, name, operand, view, condition)


def _field_miss(
    path: str, name: str, operand: Any, view: Mapping[str, Any], condition: _Spec
) -> Miss:
    value = follow(view, path.split("."))
    if value is MISSING:
        message = f"{at_most(path)} is missing{hint_for(path, view)}"
        if name == "$not":
            message = f"{at_most(path)} is missing, and $not forbids {shown(operand)}"
        return Miss(condition, message, None)
    return Miss(condition, f"{at_most(path)} {describe(name, value, operand)}", value)


def _none_of(condition: _Spec, alternatives: list[Any], first: Miss) -> Miss:
    count = len(alternatives)
    if count == 1:
        return Miss(
            condition, f"the one alternative of $or: {first.message}", first.found
        )
    message = (
        f"none of the {count} alternatives of $or holds; the first: {first.message}"
    )
    return Miss(condition, message, first.found)


def _found_by(spec: _Spec, view: Mapping[str, Any]) -> Any:
    """Return what stands at the path of a filter of one path, else None."""
    (path, *others) = spec or [""]
    value = follow(view, path.split("."))
    return None if others or value is MISSING else value


def _topic_message(texts: tuple[str, ...], topic: str) -> str:
    name = at_most(topic)
    if not texts:
        return f"{name} fits nothing: no topics were asked for"
    listed = ", ".join(map(at_most, texts[:_MOST_PATTERNS_SHOWN]))
    if len(texts) == 1:
        return f"{name} does not fit {listed}{_topic_hint(texts, topic)}"
    if len(texts) > _MOST_PATTERNS_SHOWN:
        listed += f" and {len(texts) - _MOST_PATTERNS_SHOWN} others"
    return f"{name} fits none of {listed}{_topic_hint(texts, topic)}"


def _topic_hint(texts: tuple[str, ...], topic: str) -> str:
    for text in texts:
        pattern = compile_pattern(text)
        wider = TopicPattern(text, (*pattern.segments[:-1], MANY))
        if pattern.segments[-1] == ONE and wider.matches(topic):
            return f"; * is one segment, did you mean {at_most(text)}*?"
        if compile_pattern(text.lower()).matches(topic.lower()):
            return f"; {at_most(text)} differs in case only"
    return ""
