from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core import ulid

moments = st.integers(0, 2**48 - 1)
noises = st.binary(min_size=10, max_size=10)


@given(moments, noises)
def test_a_ulid_is_canonical_and_tells_its_time(moment, noise):
    made = ulid.new_ulid(moment, noise)
    assert ulid.is_ulid(made)
    assert ulid.timestamp_ms(made) == moment
    assert ulid.floor(moment) <= made


@given(moments, moments, noises, noises)
def test_ulids_sort_by_time(early, late, noise, other):
    if early < late:
        assert ulid.new_ulid(early, noise) < ulid.new_ulid(late, other)


@given(moments, noises, st.integers(0, 2**39))
def test_adding_keeps_the_leading_characters_and_the_order(moment, noise, n):
    made = ulid.new_ulid(moment, noise)
    later = ulid.add(made, n)
    assert later[: ulid.SHARED] == made[: ulid.SHARED]
    assert (later > made) == (n > 0)
    assert ulid.add(later, -n) == made


def test_two_new_ulids_differ():
    assert ulid.new_ulid() != ulid.new_ulid()


def test_the_known_example_is_encoded_as_others_encode_it():
    known = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert ulid.timestamp_ms(known) == 1469922850259
    assert ulid.floor(1469922850259) == known[:10] + "0" * 16
    assert ulid.add("0" * 26, 31) == "0" * 25 + "Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 25,
        "0" * 27,
        "8" + "0" * 25,
        "01arz3ndektsv4rrffq69g5fav",
        "0" * 25 + "U",
        "0" * 26 + "\n",
        "٣" * 26,
    ],
)
def test_what_is_no_ulid_is_refused(text):
    assert not ulid.is_ulid(text)
    with pytest.raises(ValueError, match="not a ULID"):
        ulid.add(text, 1)


@pytest.mark.parametrize("moment", [-1, 2**48])
def test_a_moment_that_does_not_fit_is_refused(moment):
    with pytest.raises(ValueError, match="128 bits"):
        ulid.floor(moment)


def test_entropy_of_another_length_is_refused():
    with pytest.raises(ValueError, match="10 bytes, not 3"):
        ulid.new_ulid(0, b"abc")
