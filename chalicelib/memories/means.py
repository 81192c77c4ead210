"""What memories and knowledge are both kept and found with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.memories.access import Access
from chalicelib.memories.embedders import Vectoriser
from chalicelib.memories.search import Searcher
from chalicelib.memories.store import MemoryStore


@dataclass(slots=True)
class Means:
    """What a service of either is made of."""

    store: MemoryStore
    searcher: Searcher
    vectoriser: Vectoriser
    access: Access
    #: Has a space compacted, soon.
    compact: Callable[[str], object]
    #: How long what was forgotten is kept, in seconds.
    keep_s: int
