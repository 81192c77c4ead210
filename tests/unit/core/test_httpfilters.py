from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.errors import SubscriptionError
from eventyard.core.filters import compile_filter, parse_http_filters


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], {}),
        (["priority:gt:5"], {"priority": {"$gt": 5}}),
        (["a:eq:true", "b:ne:null"], {"a": {"$eq": True}, "b": {"$ne": None}}),
        (["a:eq:1.5", "b:eq:-2"], {"a": {"$eq": 1.5}, "b": {"$eq": -2}}),
        (['a:eq:"5"'], {"a": {"$eq": "5"}}),
        (["a:eq:007", "b:eq:"], {"a": {"$eq": "007"}, "b": {"$eq": ""}}),
        (["a:eq:NaN", "b:eq:1e999"], {"a": {"$eq": "NaN"}, "b": {"$eq": "1e999"}}),
        (["a:eq:[1]", "b:eq:{}"], {"a": {"$eq": "[1]"}, "b": {"$eq": "{}"}}),
        (["a:eq:" + "9" * 5000], {"a": {"$eq": "9" * 5000}}),
        (["a:in:1,b,true"], {"a": {"$in": [1, "b", True]}}),
        (["a:nin:x"], {"a": {"$nin": ["x"]}}),
        (["a.b:regex:^5:.*$"], {"a.b": {"$regex": "^5:.*$"}}),
        (["a:regex:5"], {"a": {"$regex": "5"}}),
        (["a:exists:false"], {"a": {"$exists": False}}),
        (["tags:contains:eu"], {"tags": {"$contains": "eu"}}),
        (
            ["timestamp:gte:2026-01-01T00:00:00Z"],
            {"timestamp": {"$gte": "2026-01-01T00:00:00Z"}},
        ),
        (["a:gt:1", "a:lt:5"], {"a": {"$gt": 1, "$lt": 5}}),
        (
            ["a:ne:1", "a:ne:2", "a:ne:3"],
            {"a": {"$ne": 1, "$and": [{"$ne": 2}, {"$ne": 3}]}},
        ),
        (["type:user.*"], {"type": {"$topic": "user.*"}}),
        (["source:svc"], {"source": {"$eq": "svc"}}),
        (["priority:5"], {"priority": {"$eq": 5}}),
    ],
)
def test_items_become_one_filter(items, expected):
    parsed = parse_http_filters(items)
    assert parsed == expected
    compile_filter(parsed)


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ("priority:like:5", "unknown operator 'like' .* eq ne gt gte lt lte in nin"),
        ("priority", "field:op:value, not 'priority'"),
        ("", "field:op:value"),
        (":gt:5", "field:op:value"),
        ("$or:eq:5", "field:op:value"),
    ],
)
def test_a_bad_item_is_refused_with_the_reason(item, fault):
    with pytest.raises(SubscriptionError, match=fault):
        parse_http_filters([item])


@given(st.text())
def test_any_text_is_either_parsed_or_refused(item):
    try:
        parse_http_filters([item])
    except SubscriptionError:
        return


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(0, 9))
def test_several_items_on_one_field_must_all_hold(refused, value):
    spec = parse_http_filters([f"a:ne:{number}" for number in refused])
    assert compile_filter(spec)({"a": value}) is (value not in refused)
