from __future__ import annotations

import json
import math

import pytest
from hypothesis import given

from eventyard.core.errors import InvalidRequestError, ValidationError
from eventyard.core.jsontext import dumps, loads
from tests.unit.core import strategies


@given(strategies.json_values)
def test_what_is_written_is_read_back(value):
    text = dumps(value)
    assert loads(text) == value
    assert loads(text.encode()) == value


def test_text_is_compact_and_keeps_its_characters():
    assert dumps({"a": [1, "é"]}) == '{"a":[1,"é"]}'


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, [object()]])
def test_what_is_not_json_is_not_written(value):
    with pytest.raises(ValidationError, match="not a JSON value"):
        dumps(value)


def test_a_value_that_holds_itself_is_not_written():
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValidationError, match="not a JSON value"):
        dumps(value)


@pytest.mark.parametrize(
    ("text", "fault", "position"),
    [
        ("", "Expecting value", 0),
        ("[1,", "Expecting value", 3),
        ("[1] x", "Extra data", 4),
        ('["NaN", NaN]', "NaN is not JSON", 8),
        ("[1, -Infinity]", "Infinity is not JSON", 4),
        ('{"a": 1e999}', "out of range", 6),
        ("9" * 5000, "too many digits", None),
        (r'["\ud800"]', "surrogate", 2),
        (r'["\ud83d\ude00\\ud800 \udc00"]', "surrogate", 22),
        ("\ud800", "not UTF-8", 0),
        (b'"a\xff"', "not UTF-8", 2),
        ("[" * 65 + "]" * 65, "deeper than 64", 64),
        ('{"[":' * 65 + "1" + "}" * 65, "deeper than 64", 320),
        ("[" * 100_000, "deeper than 64", 64),
    ],
)
def test_what_is_not_read_is_refused_with_its_position(text, fault, position):
    with pytest.raises(InvalidRequestError, match=fault) as caught:
        loads(text)
    assert caught.value.code == "invalid_json"
    assert caught.value.details == {"position": position}


def test_brackets_in_strings_are_no_nesting():
    value = ['[{"' * 100, "\\" * 99, [[["]"]]]]
    assert loads(json.dumps(value), max_depth=4) == value


def test_nesting_up_to_the_limit_is_read():
    assert loads("[[1]]", max_depth=2) == [[1]]
    assert loads("1", max_depth=0) == 1
    with pytest.raises(InvalidRequestError, match="deeper than 1"):
        loads("[[1]]", max_depth=1)


def test_a_pair_of_escaped_surrogates_is_one_character():
    assert loads(r'"\ud83d\ude00 \\ud800"') == "😀 \\ud800"
