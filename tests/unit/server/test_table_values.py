from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib._values import marshal, unmarshal

scalars = (
    st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)
    | st.text()
    | st.binary()
    | st.sets(st.text(), min_size=1)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), values))
def test_plain_values_come_back_as_they_were(item):
    back = unmarshal(marshal(item))

    assert back == item


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_exactly(number):
    assert unmarshal(marshal({"n": number}))["n"] == number


def test_each_type_has_its_dynamodb_type():
    item = {
        "s": "x",
        "n": 1,
        "f": 1.5,
        "d": Decimal("2.5"),
        "b": True,
        "l": [1, "x"],
        "t": ("x",),
        "m": {"k": "v"},
        "ss": {"b", "a"},
        "bytes": b"x",
    }

    assert marshal(item) == {
        "s": {"S": "x"},
        "n": {"N": "1"},
        "f": {"N": "1.5"},
        "d": {"N": "2.5"},
        "b": {"BOOL": True},
        "l": {"L": [{"N": "1"}, {"S": "x"}]},
        "t": {"L": [{"S": "x"}]},
        "m": {"M": {"k": {"S": "v"}}},
        "ss": {"SS": ["a", "b"]},
        "bytes": {"B": b"x"},
    }


def test_none_is_left_out():
    assert marshal({"a": None, "b": 1, "c": {"d": None}}) == {
        "b": {"N": "1"},
        "c": {"M": {}},
    }


def test_a_boolean_stays_one():
    back = unmarshal(marshal({"yes": True, "no": False, "one": 1}))

    assert (back["yes"], back["no"], back["one"]) == (True, False, 1)
    assert isinstance(back["yes"], bool)
    assert not isinstance(back["one"], bool)


@pytest.mark.parametrize("value", [object(), 1j, range(3)])
def test_what_dynamodb_has_no_type_for_is_refused(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        marshal({"a": value})
