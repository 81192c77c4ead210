"""Texts of jobs: small ones in their rows, others beside, large ones in the bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.table import Table
from eventyard.core import ulid

#: Up to so many bytes rest in the row itself: lists read rows.
SMALL: Final = 4_000
#: An item has 400 KB; above this a text goes to the bucket.
LARGE: Final = 200_000


@dataclass(frozen=True, slots=True)
class Texts:
    """Keeps the texts of jobs, each under a name of its own."""

    table: Table
    #: Puts a text into the bucket under a ULID, and returns its address.
    put_blob: Callable[[str, str], str]
    #: Reads a text by its address.
    get_blob: Callable[[str], str]

    def body(self, text: str) -> Item:
        """Return what an item has for a text; a large one is put into the bucket."""
        if size(text) <= LARGE:
            return {"text": text}
        # A name of its own each time: a writer that should have stopped spoils nothing.
        return {"blob": self.put_blob(ulid.new_ulid(), text)}

    def text(self, item: Item) -> str:
        """Return the text of an item."""
        found = item["text"] if "text" in item else self.get_blob(item["blob"])
        return str(found)

    def item(self, job_id: str, name: str, text: str, ttl: int | None = None) -> Item:
        """Return the item of a text beside its job."""
        pk, sk = text_key(job_id, name)
        return {"pk": pk, "sk": sk, "ttl": ttl, **self.body(text)}

    def read(self, job_id: str, name: str) -> str | None:
        """Read a text that rests beside its job."""
        item = self.table.get(*text_key(job_id, name)) or {}
        # The end of a job dates what is beside it, whether that is there or not.
        there = not item.keys().isdisjoint(("text", "blob"))
        return self.text(item) if there else None


def text_key(job_id: str, name: str) -> tuple[str, str]:
    """Return where a text rests beside its job."""
    return f"job#{job_id}", name


def size(text: str) -> int:
    """Return how many bytes a text has."""
    return len(text) if text.isascii() else len(text.encode())
