from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.errors import SubscriptionError
from eventyard.core.event import Event
from eventyard.core.filters import compile_filter
from tests.unit.core import strategies

VIEW = {
    "type": "user.created",
    "priority": 7,
    "flag": True,
    "nothing": None,
    "ratio": 1.0,
    "tags": ["urgent", "eu"],
    "timestamp": "2026-01-02T03:04:05.678Z",
    "payload": {
        "user": {"name": "Ada", "age": 36},
        "items": [{"sku": "a"}, {"sku": "b"}],
        "text": "timeout after 5 s",
    },
}


def passes(spec: dict[str, object] | None) -> bool:
    return compile_filter(spec)(VIEW)


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {},
        {"type": "user.created"},
        {"type": "user.created", "priority": 7},
        {"payload.user.name": "Ada"},
        {"payload.items.1.sku": "b"},
        {"payload.user": {"age": 36, "name": "Ada"}},
        {"payload.items": [{"sku": "a"}, {"sku": "b"}]},
        {"nothing": None},
        {"ratio": 1},
        {"priority": 7.0},
        {"priority": {"$gt": 6, "$lte": 7}},
        {"priority": {"$gte": 7, "$lt": 7.5}},
        {"type": {"$gt": "user"}},
        {"timestamp": {"$gt": "2026-01-02T03:04:05Z"}},
        {"timestamp": {"$lt": "2026-01-02T03:04:05.678901Z"}},
        {"timestamp": {"$lt": "2026-01-02T05:04:05.679+02:00"}},
        {"timestamp": {"$gte": "2026-01-02"}},
        {"priority": {"$ne": 8}},
        {"priority": {"$in": ["x", 7]}},
        {"type": {"$in": ("user.created", 1)}},
        {"priority": {"$nin": [1, 2]}},
        {"nothing": {"$exists": True}},
        {"missing": {"$exists": False}},
        {"payload.text": {"$regex": "^time.*5"}},
        {"payload.text": {"$contains": "out"}},
        {"tags": {"$contains": "eu"}},
        {"payload.items": {"$contains": {"sku": "a"}}},
        {"type": {"$topic": "user.*"}},
        {"priority": {"$not": {"$gt": 8}}},
        {"priority": {"$or": [{"$lt": 3}, {"$gt": 6}]}},
        {"priority": {"$and": [{"$gt": 3}, {"$lt": 8}]}},
        {"$or": [{"type": "x"}, {"priority": 7}]},
        {"$and": [{"type": "user.created"}, {"priority": 7}]},
        {"$not": {"type": "x"}},
    ],
)
def test_an_event_passes(spec):
    assert passes(spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "user.created", "priority": 8},
        {"type": 5},
        {"payload.items.2.sku": "b"},
        {"payload.items.-1.sku": "b"},
        {"payload.items.²": 1},
        {"payload.items." + "1" * 5000: 1},
        {"payload.user": {"age": 36}},
        {"payload.items": [{"sku": "a"}]},
        {"flag": 1},
        {"ratio": True},
        {"flag": {"$gt": 0}},
        {"flag": {"$in": [1]}},
        {"priority": {"$gt": "6"}},
        {"type": {"$gt": 6}},
        {"tags": {"$lt": 6}},
        {"nothing": {"$lte": 6}},
        {"type": {"$lt": "2026-01-02"}},
        {"timestamp": {"$gt": "2026-99-99"}},
        {"priority": {"$regex": "7"}},
        {"priority": {"$contains": 7}},
        {"payload.text": {"$contains": 5}},
        {"priority": {"$topic": "*"}},
        {"type": {"$topic": "agent.*"}},
        {"nothing": {"$exists": False}},
        {"$or": [{"type": "x"}, {"priority": 8}]},
        {"$not": {"type": "user.created"}},
    ],
)
def test_an_event_does_not_pass(spec):
    assert not passes(spec)


CONDITIONS = {
    "$eq": None,
    "$gt": 0,
    "$gte": "",
    "$lt": 10,
    "$lte": "2026-01-01",
    "$in": [None, 1],
    "$exists": True,
    "$regex": "",
    "$contains": None,
    "$topic": "*",
}


@pytest.mark.parametrize("path", ["missing", "payload.missing", "type.x", "tags.9"])
def test_a_missing_path_passes_only_what_says_no(path):
    assert not passes({path: None})
    for name, operand in CONDITIONS.items():
        assert not passes({path: {name: operand}})
        assert passes({path: {"$not": {name: operand}}})
    assert passes({path: {"$exists": False, "$ne": 1, "$nin": [None]}})


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"a": {"$like": 1}}, r"unknown operator '\$like'; there are \$and \$contains"),
        ({"$gt": 5}, r"unknown operator '\$gt'; there are \$and \$not \$or"),
        ({"a": {"$gt": 1, "b": 2}}, "unknown operator 'b'"),
        ({"a": {"$in": "abc"}}, r"\$in takes a list"),
        ({"a": {"$nin": 5}}, r"\$nin takes a list"),
        ({"a": {"$gt": True}}, r"\$gt takes a number or a string"),
        ({"a": {"$lte": None}}, r"\$lte takes a number or a string"),
        ({"a": {"$exists": 1}}, r"\$exists takes true or false"),
        ({"a": {"$regex": 5}}, r"\$regex takes a string"),
        ({"a": {"$regex": "(a+)+"}}, "several ways"),
        ({"a": {"$topic": 5}}, r"\$topic takes a pattern"),
        ({"a": {"$topic": "user.c*"}}, "whole segments"),
        ({"a": {"$not": 5}}, "must be an object, not int"),
        ({"a": {"$or": [5]}}, "must be an object, not int"),
        ({"$not": [1]}, "must be an object, not list"),
        ({"$and": {}}, r"\$and takes a list of at least one"),
        ({"$or": []}, r"\$or takes a list of at least one"),
        ({"": 1}, "not a field"),
        ({5: 1}, "not a field"),
        ([1], "must be an object, not list"),
        ({str(number): 1 for number in range(101)}, "100 conditions"),
    ],
)
def test_a_bad_filter_is_refused_with_the_reason(spec, fault):
    with pytest.raises(SubscriptionError, match=fault):
        compile_filter(spec)


def test_an_unknown_operator_is_named_in_the_details():
    with pytest.raises(SubscriptionError) as caught:
        compile_filter({"a": {"$like": 1}})
    assert caught.value.details == {"operator": "$like"}


def nested(depth: int) -> dict[str, object]:
    return {"a": 1} if depth == 1 else {"$and": [nested(depth - 1)]}


def test_nesting_has_a_limit():
    compile_filter(nested(10))
    with pytest.raises(SubscriptionError, match="10 deep"):
        compile_filter(nested(11))


def test_long_strings_are_not_searched():
    search = compile_filter({"text": {"$regex": "x"}})
    assert search({"text": "x" * 4096})
    assert not search({"text": "x" * 4097})


@given(strategies.json_values, strategies.json_values)
def test_ne_and_not_are_the_opposites(left, right):
    view = {"value": left}
    equal = compile_filter({"value": {"$eq": right}})(view)
    assert compile_filter({"value": {"$ne": right}})(view) is not equal
    assert compile_filter({"$not": {"value": {"$eq": right}}})(view) is not equal
    assert compile_filter({"value": {"$in": [right]}})(view) is equal


@given(strategies.json_values)
def test_every_value_equals_itself(value):
    assert compile_filter({"value": {"$eq": value}})({"value": value})


@given(st.integers() | st.floats(allow_nan=False), st.integers())
def test_numbers_are_ordered_as_numbers(left, right):
    view = {"value": left}
    assert compile_filter({"value": {"$gt": right}})(view) is (left > right)
    assert compile_filter({"value": {"$lte": right}})(view) is (left <= right)


@given(strategies.events)
def test_fields_attributes_and_payload_can_be_filtered_on(event):
    view = event.view()
    assert compile_filter({"type": event.type, "priority": event.priority})(view)
    assert compile_filter({"payload": {"$eq": event.payload}})(view)
    assert compile_filter({"data": {"$eq": event.payload}})(view)
    for name, value in event.attributes.items():
        assert compile_filter({f"attributes.{name}": {"$eq": value}})(view)


def test_what_an_event_does_not_have_does_not_exist():
    unset = ("source", "tags", "headers", "attributes", "ttl", "circle_id")
    spec = {name: {"$exists": False} for name in unset}
    assert compile_filter(spec)(Event("a").view())
    assert not compile_filter(spec)(Event("a", circle_id=1).view())
