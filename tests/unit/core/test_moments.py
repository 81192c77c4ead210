"""Durations: a whole number with its unit, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.moments import duration

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@given(st.integers(0, 999_999), st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_its_number_of_units(number, unit):
    told = duration(f"{number}{unit}")

    assert told == timedelta(milliseconds=round(number * SECONDS[unit] * 1000))


@given(st.text(max_size=20))
def test_text_is_a_duration_or_a_value_error(text):
    try:
        told = duration(text)
    except ValueError:
        return
    number = text.rstrip("mshd")
    assert number.isascii()
    assert number.isdigit()
    assert told >= timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "d",
        "-1d",
        "+1d",
        "1.5h",
        " 1h",
        "1h ",
        "1h\n",
        "1 h",
        "1H",
        "1w",
        "1d12h",
        "٣d",
        "1_000s",
        "0x1s",
        "9" * 16 + "s",
        "999999999999999d",
    ],
)
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"duration|large|magnitude"):
        duration(text)
