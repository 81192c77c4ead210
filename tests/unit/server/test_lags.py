"""Lags in buckets: what a quantile told from them is worth."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.graphs.lags import ERROR, bucket_of, quantile

#: A fifth of a millisecond up to a month.
_LAGS = st.lists(st.floats(0.2, 2.6e9), min_size=1, max_size=200)


def true_quantile(lags, share):
    return sorted(lags)[math.ceil(share * len(lags)) - 1]


@given(_LAGS, st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_the_error_that_is_promised(lags, share):
    told = quantile(Counter(map(bucket_of, lags)), share)

    true = true_quantile(lags, share)
    assert told == 1.0 if true <= 1 else abs(told - true) <= true * ERROR + 0.01


@given(_LAGS, _LAGS)
def test_the_quantile_of_two_counts_added_is_that_of_all(some, others):
    apart = Counter(map(bucket_of, some))
    apart.update(map(bucket_of, others))

    assert quantile(apart, 0.95) == quantile(
        Counter(map(bucket_of, [*some, *others])), 0.95
    )


def test_nothing_has_no_quantile():
    assert quantile({}, 0.95) is None
    assert quantile({3: 0}, 0.95) is None


@pytest.mark.parametrize("ms", [0, -5, 1e15, float("inf")])
def test_whatever_a_clock_says_has_a_bucket(ms):
    assert 0 <= bucket_of(min(ms, 1e300)) <= bucket_of(1e12)
