"""Recall over many vectors: in a process that has them, in one that has to read them."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from chalicelib.auth import ANYBODY
from chalicelib.memories.compact import SEGMENT_BYTES
from chalicelib.memories.model import MOST_NUMBERS, Space, Vector, memory_item
from chalicelib.memories.parts import Memories
from chalicelib.memories.service import Question
from eventyard.core import ulid
from eventyard.rag import vectors as searching
from eventyard.rag.model import NewMemory, Wish
from eventyard.rag.spaces import Reader
from eventyard.rag.vectors import WIDTH, Block, nearest, pack

_COUNT = 100_000
_DIMENSIONS = (256, 768, 1_536, 3_072)
_WARM, _COLD, _PLAIN = 30, 5, 3
_MODEL = "bench"


def measure() -> dict[str, Any]:
    """Search a space of 100,000 vectors of 256 numbers, and full ones of longer ones."""
    from moto import mock_aws

    figures: dict[str, Any] = {}
    with mock_aws():
        memories = _memories()
        for dimension in _DIMENSIONS:
            count = min(_COUNT, MOST_NUMBERS // dimension)
            figures |= _measured(memories, count, dimension)
    return figures


def _memories() -> Memories:
    from chalicelib import config
    from chalicelib.bootstrap import Platform
    from tests.stack import create_stack, environment_of

    # What moto answers is nowhere.
    os.environ |= dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), "us-east-1")
    os.environ["AWS_ACCOUNT_ID_ENDPOINT_MODE"] = "disabled"
    platform = Platform(config.from_environment(environment_of(create_stack())))
    return platform.memories


def _measured(memories: Memories, count: int, dimension: int) -> dict[str, Any]:
    agent = f"agent-{dimension}"
    blocks = [*_blocks(count, dimension)]
    probes = _kept(memories, agent, blocks, dimension)
    asked = iter(probes * 10)

    def recall(*, update_access: bool = False) -> None:
        question = Question(None, next(asked), Wish(limit=10), update_access)
        found = memories.service.recall(agent, question, ANYBODY)
        assert found.results, "the one that is asked for is there"

    def cold() -> None:
        memories.__dict__.pop("files", None)
        memories.__dict__.pop("searcher", None)
        memories.__dict__.pop("service", None)
        recall()

    query = probes[0].numbers
    name = f"{count:,} x {dimension}"
    figures: dict[str, Any] = {f"{name}: recall, cold, p50 ms": _p50(cold, _COLD)}
    figures[f"{name}: recall, warm, p50 ms"] = _p50(recall, _WARM)
    figures[f"{name}: recall, warm, counted, p50 ms"] = _p50(
        lambda: recall(update_access=True), _WARM
    )
    figures[f"{name}: the search alone, p50 ms"] = _p50(
        lambda: nearest(blocks, query, 10), _WARM
    )
    figures[f"{name}: MB kept by a process"] = sum(b.bytes_held for b in blocks) / 1e6
    if dimension == _DIMENSIONS[0]:
        figures |= _filtered_and_plain(name, blocks, query)
    return figures


def _filtered_and_plain(
    name: str, blocks: list[Block], query: tuple[float, ...]
) -> dict[str, Any]:
    rare = [("tag:rare",)]
    found = {
        f"{name}: the search for 1 % of them, p50 ms": _p50(
            lambda: nearest(blocks, query, 10, groups=rare), _WARM
        )
    }
    numpy, searching.numpy = searching.numpy, lambda: None  # type: ignore[assignment]
    try:
        plain = _p50(lambda: nearest(blocks, query, 10), _PLAIN)
    finally:
        searching.numpy = numpy  # type: ignore[assignment]
    return {**found, f"{name}: the search without numpy, p50 ms": plain}


def _blocks(count: int, dimension: int) -> Iterator[Block]:
    import numpy as np

    chance = np.random.default_rng(7)
    most = SEGMENT_BYTES // (dimension * WIDTH)
    first = ulid.new_ulid()
    for start in range(0, count, most):
        size = min(most, count - start)
        rows = chance.standard_normal((size, dimension), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        ids = [ulid.add(first, start + n) for n in range(size)]
        labels = {
            "type:fact": list(range(size)),
            "tag:rare": list(range(0, size, 100)),
        }
        yield Block(dimension, ids, rows.astype("<f2").tobytes(), labels)


def _kept(
    memories: Memories, agent: str, blocks: list[Block], dimension: int
) -> list[Vector]:
    """Put a space into the store, with the rows of some vectors; return these."""
    name = Reader(agent).spaces[0]
    segments = tuple(memories.files.write(name, block) for block in blocks)
    space = Space(name, dimension, _MODEL, 1, segments, segments[-1].last)
    memories.table.put(space.to_item())
    chance, found = random.Random(7), []
    for _ in range(_WARM):
        block = chance.choice(blocks)
        row = chance.randrange(len(block.ids))
        raw = block.raw[row * dimension * WIDTH : (row + 1) * dimension * WIDTH]
        vector = Vector.of(list(searching.unpack(raw)), _MODEL)
        memory = NewMemory(agent, f"what is known of {row}")
        item = memory_item(block.ids[row], memory, vector, time.time())
        memories.table.put({**item, "vector": pack(vector.numbers)})
        found.append(vector)
    return found


def _p50(act: Callable[[], Any], times: int) -> float:
    act()
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        took.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(took)
