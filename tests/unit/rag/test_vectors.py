"""Vectors as bytes and files, and which are the nearest, with numpy and without."""

from __future__ import annotations

import itertools
import math
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard.rag import segments, vectors
from eventyard.rag.spaces import InvalidMemoryError
from eventyard.rag.vectors import Block, Entry, nearest, normalised, pack, unpack

numbers = st.floats(-1e6, 1e6, allow_nan=False).filter(
    lambda x: abs(x) > 1e-6 or x == 0
)
some = st.lists(numbers, min_size=8, max_size=64).filter(any)


@pytest.fixture(params=["numpy", "plain"])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(vectors, "numpy", lambda: None)
    return request.param


def block_of(rows, **labels):
    entries = [
        Entry(name, pack(normalised(vector)), labels.get(name, ()))
        for name, vector in rows
    ]
    return Block.of(len(rows[0][1]), entries)


def toward(angle, dimension=8):
    return [math.cos(angle), math.sin(angle), *[0.0] * (dimension - 2)]


@given(some)
def test_what_is_packed_is_what_it_was_to_three_places(vector):
    direction = normalised(vector)

    again = unpack(pack(direction))

    assert math.hypot(*direction) == pytest.approx(1)
    assert again == pytest.approx(direction, abs=1e-3)
    assert len(pack(direction)) == 2 * len(vector)


names = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=1, max_size=26)
labels = st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True)


@given(
    st.integers(8, 24).flatmap(
        lambda n: st.lists(
            st.tuples(names, st.binary(min_size=2 * n, max_size=2 * n), labels),
            max_size=12,
            unique_by=lambda row: row[0],
        ).map(lambda rows: (n, [Entry(a, b, tuple(c)) for a, b, c in rows]))
    )
)
def test_a_segment_is_read_as_it_was_written(made):
    dimension, entries = made

    again = segments.read(segments.write(Block.of(dimension, entries)))

    assert again.dimension == dimension
    found = [(e.id, e.raw, set(e.labels)) for e in again.entries()]
    assert found == [(e.id, e.raw, set(e.labels)) for e in entries]


@given(st.data())
@settings(max_examples=60)
def test_a_segment_that_was_touched_anywhere_is_no_segment(data):
    raw = segments.write(block_of([("a", toward(0)), ("b", toward(1))], a=("x",)))
    at = data.draw(st.integers(0, len(raw) - 1))
    flip = data.draw(st.integers(1, 255))
    touched = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]

    for broken in (touched, raw[:at], raw + b"x"):
        with pytest.raises(segments.BrokenSegmentError):
            segments.read(broken)


@given(st.binary(max_size=200))
def test_anything_else_is_no_segment(raw):
    with pytest.raises(segments.BrokenSegmentError):
        segments.read(raw)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ([], "8 to 4096 numbers"),
        ([1.0] * 7, "8 to 4096 numbers"),
        ([1.0] * 4_097, "8 to 4096 numbers"),
        ([0.0] * 8, "zeros"),
        ([math.nan] * 8, "finite"),
        ([math.inf] * 8, "finite"),
        ([1e308] * 8, "finite"),
        ([True] * 8, "finite"),
        (["1"] * 8, "finite"),
        ("12345678", "a list"),
        (None, "a list"),
        ({1: 1}, "a list"),
    ],
)
def test_what_is_no_vector_is_told_so(wrong, why):
    with pytest.raises(InvalidMemoryError, match=why):
        normalised(wrong)


def test_the_nearest_come_first_and_only_what_is_near_enough(way):
    rows = [(f"{n:02}", toward(n / 10)) for n in range(10)]
    block = block_of(rows)

    hits = nearest([block], toward(0), 3)
    assert [hit.id for hit in hits] == ["00", "01", "02"]
    assert [hit.similarity for hit in hits] == pytest.approx(
        [1, math.cos(0.1), math.cos(0.2)], abs=1e-3
    )
    near = nearest([block], toward(0), 10, threshold=math.cos(0.35))
    assert [hit.id for hit in near] == ["00", "01", "02", "03"]
    assert nearest([block], toward(0), 0) == []


def test_a_threshold_takes_what_equals_it(way):
    block = block_of([("a", [1.0] * 16)])
    query = normalised([1.0] * 4 + [0.0] * 12)

    assert [h.similarity for h in nearest([block], query, 1, threshold=0.5)] == [0.5]
    assert nearest([block], query, 1, threshold=0.5001) == []


def test_labels_choose_before_the_nearest_are_counted(way):
    rows = [(f"{n:03}", toward(n / 100)) for n in range(100)]
    labels = {f"{n:03}": ("tag:x",) if n >= 97 else ("tag:y",) for n in range(100)}
    labels["098"] = ("tag:x", "type:fact")
    block = block_of(rows, **labels)

    def found(*groups):
        return [h.id for h in nearest([block], toward(0), 2, groups=groups)]

    assert found(("tag:x",)) == ["097", "098"]
    assert found(("tag:x",), ("type:fact",)) == ["098"]
    assert found(("tag:none", "tag:x")) == ["097", "098"]
    assert found(("tag:none",)) == []


def test_who_is_gone_makes_room_for_the_next(way):
    block = block_of([(f"{n}", toward(n / 10)) for n in range(6)])

    hits = nearest([block], toward(0), 2, without={"0", "2", "elsewhere"})

    assert [hit.id for hit in hits] == ["1", "3"]


def test_of_the_same_distance_the_ids_decide_whatever_the_blocks(way):
    entries = [(name, toward(0.3)) for name in "hgfedcba"]
    for cut in range(1, 8):
        parts = [block_of(entries[:cut]), block_of(entries[cut:])]
        assert [hit.id for hit in nearest(parts, toward(0), 3)] == ["a", "b", "c"]


@given(st.integers(0, 2**32), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_with_numpy_and_without_it_is_the_same(seed, limit):
    chance = random.Random(seed)
    rows = [(f"{n:03}", [chance.gauss(0, 1) for _ in range(16)]) for n in range(60)]
    block, query = block_of(rows), normalised([chance.gauss(0, 1) for _ in range(16)])
    threshold = chance.uniform(-1, 1)
    rows = None if chance.random() < 0.5 else set(chance.sample(range(60), 20))

    def way_of(search):
        hits = sorted(search(block, query, limit, threshold, rows))[:limit]
        return [(hit.id, hit.similarity) for hit in hits]

    one, other = way_of(vectors._search), way_of(vectors._search_plainly)
    # Sums in float32 may fall to the other side of a rounding, never farther.
    assert [s for _, s in one] == pytest.approx([s for _, s in other], abs=1.1e-4)


def test_numpy_is_not_imported_before_something_is_searched():
    import subprocess

    script = (
        "import sys; sys.path[:0] = ['sdk']; from eventyard.rag import model, segments, "
        "vectors, hashing, spaces, vendors; hashing.embed('a'); "
        "bad = {'numpy', 'aiohttp', 'asyncio', 'botocore', 'urllib3', 'pydantic'}; "
        "sys.exit(str(bad & set(sys.modules)) if bad & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_itertools_of_blocks_are_searched_once_each(way):
    one = block_of([("a", toward(0))])
    hits = nearest(itertools.chain([one], [one]), toward(0), 5)

    assert [hit.id for hit in hits] == ["a", "a"]
