"""What is counted of each edge, as it rests in the items of minutes and hours."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.graphs.flows import (
    LEFT_OUT,
    Flow,
    Sheet,
    Way,
    counts_events,
    pack,
    read_minute,
    unpack,
    updates_of,
    way,
)

_NAMES = st.text(min_size=0, max_size=300)
_FLOWS = st.builds(
    Flow,
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(1, 2**43),
    st.dictionaries(st.integers(0, 112), st.integers(1, 99), max_size=5).map(Counter),
)
_SHEETS = st.builds(
    Sheet,
    st.dictionaries(
        st.builds(way, st.sampled_from(["publishes", "subscribes"]), _NAMES, _NAMES),
        _FLOWS,
        max_size=80,
    ),
    st.integers(0, 99),
)


def written(sheet):
    """What an item holds after all updates of a sheet."""
    item = {"pk": "p", "sk": "s", "ttl": 5, LEFT_OUT: sheet.left_out}
    for update in updates_of(sheet.flows.items()):
        assert update.operands <= 150
        item |= update.amounts
        item |= update.facts
    return item


@given(_SHEETS)
def test_a_minute_is_read_as_it_was_written(sheet):
    assert read_minute(written(sheet)) == sheet


@given(_SHEETS)
def test_an_hour_is_read_as_it_was_written(sheet):
    assert unpack(pack(sheet)) == sheet


@given(_SHEETS, _SHEETS)
def test_two_sheets_make_one_and_stay_as_they_were(one, other):
    before = unpack(pack(other))
    count = sum(flow.count for s in (one, other) for flow in s.flows.values())

    one.merge(other)

    assert sum(flow.count for flow in one.flows.values()) == count
    assert other == before


def test_an_hour_that_is_too_large_keeps_the_most_and_counts_the_rest():
    chance = random.Random(4)
    sheet = Sheet(left_out=1)
    for n in range(4_000):
        name = "".join(chance.choices("0123456789abcdef", k=250))
        sheet.flow(Way("publishes", name, name[::-1])).count = n + 1

    kept = unpack(pack(sheet))

    assert len(pack(sheet)) <= 300_000
    assert 100 < len(kept.flows) < 4_000
    assert min(flow.count for flow in kept.flows.values()) > 2_000
    total = sum(flow.count for flow in kept.flows.values())
    assert total + kept.left_out == 4_000 * 4_001 // 2 + 1


def test_names_that_no_item_takes_are_mended():
    edge = way("publishes", "a\ud800" * 400, "b")

    assert edge == Way("publishes", "a?" * 128, "b")
    assert way("publishes", None, "b").agent == "unnamed"


def test_only_counters_of_events_count_as_left_out():
    edge = way("subscribes", "a", "b")
    (update,) = updates_of([(edge, Flow(3, 2, 1, Counter({4: 3})))])

    counted = [n for name, n in update.amounts.items() if counts_events(name)]

    assert sorted(counted) == [2, 3]
    assert counts_events(LEFT_OUT)
