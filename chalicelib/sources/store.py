"""Keys and items of sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.sources.model import Source, is_name
from chalicelib.table import Table
from eventyard.core.errors import ConflictError, NotFoundError
from eventyard.core.wire import dumps, loads

_PARTITION: Final = "source"


@dataclass(frozen=True, slots=True)
class SourceStore:
    """Rows in one partition, sorted by name."""

    table: Table

    def add(self, source: Source) -> None:
        """Write a new source; raises ConflictError when its name is taken."""
        if not self.table.put_new(_to_item(source)):
            raise ConflictError(f"There is a source {source.name} already.")

    def save(self, source: Source) -> None:
        """
        Write the next revision of a source.

        Raises ConflictError when somebody else changed it in between.
        """
        item = _to_item(source)
        changes = {"doc": item["doc"], "revision": item["revision"]}
        before = {"revision": source.revision - 1}
        if not self.table.set(_PARTITION, source.name, changes, only_if=before):
            raise ConflictError(
                f"The source {source.name} was changed or removed meanwhile; read it "
                "and try again."
            )

    def find(self, name: str) -> Source | None:
        """Read one source, if it is there."""
        item = self.table.get(_PARTITION, name) if is_name(name) else None
        return None if item is None else _from_item(item)

    def get(self, name: str) -> Source:
        """Read one source; raises NotFoundError."""
        found = self.find(name)
        if found is None:
            raise NotFoundError(f"There is no source {name:.64}.")
        return found

    def remove(self, name: str) -> None:
        """Remove a source."""
        self.table.delete(_PARTITION, name)

    def some(self, after: str | None, limit: int) -> Iterator[Source]:
        """Yield some sources from behind a name on."""
        found = self.table.query(_PARTITION, after=after, limit=limit)
        yield from map(_from_item, found)


def _to_item(source: Source) -> Item:
    return {
        "pk": _PARTITION,
        "sk": source.name,
        "doc": dumps(source.to_dict()),
        "revision": source.revision,
    }


def _from_item(item: Item) -> Source:
    return Source.from_dict(loads(item["doc"]))
