"""Schemas of topics: written by operators, held against what is published."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from chalicelib.aws import Item
from chalicelib.events.audit import PREFIX
from chalicelib.events.publication import Warnings
from chalicelib.events.service import Page
from chalicelib.table import Table
from eventyard.core import moments
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ValidationError,
)
from eventyard.core.event import Event
from eventyard.core.topics import compile_pattern, overlaps

if TYPE_CHECKING:
    from eventyard.core.matching import Matcher

#: How many schemas there may be: every process holds them all.
MOST_SCHEMAS: Final = 100
#: How long a process goes by the schemas that it has read.
KEPT_SECONDS: Final = 10.0
#: How many pages of the log are read, at most, to infer a schema.
MOST_PAGES: Final = 5
_PARTITION: Final = "schema"
_ID: Final = re.compile(r"sch_[0-9a-f]{20}")

#: Reads the log newest first: takes how many events, and where to go on.
ReadPage = Callable[[int, str | None], Page]


@dataclass(frozen=True, slots=True)
class Schema:
    """What payloads of some topics must look like, and what happens when they do not."""

    id: str
    #: A topic pattern.
    topics: str
    #: As JSON text: DynamoDB's types would bend numbers.
    text: str
    #: off, warn or enforce.
    mode: str
    description: str
    created_at: str
    updated_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return the shape that HTTP answers with."""
        fields = asdict(self)
        fields["schema"] = json.loads(fields.pop("text"))
        return fields


@dataclass(frozen=True, slots=True)
class SchemaStore:
    """Rows in one partition; a pattern has one schema."""

    table: Table

    def save(self, schema: Schema) -> bool:
        """Write a schema; tell whether it is new. One of its pattern is replaced."""
        row = asdict(schema)
        key = row.pop("id")
        if self.table.put_new({"pk": _PARTITION, "sk": key, **row}):
            return True
        del row["created_at"]
        # Somebody may have removed it between the two calls.
        return not self.table.set(_PARTITION, key, row) and self.save(schema)

    def get(self, schema_id: str) -> Schema:
        """Read one schema; raise NotFoundError."""
        known = _ID.fullmatch(schema_id)
        row = self.table.get(_PARTITION, schema_id) if known else None
        return _from_row(_there(row, schema_id))

    def all(self, after: str | None = None) -> Iterator[Schema]:
        """Yield the schemas behind an id: one call for each megabyte."""
        yield from map(_from_row, self.table.query(_PARTITION, after=after))

    def ids(self) -> set[str]:
        """Read the ids of all schemas."""
        return {row["sk"] for row in self.table.query(_PARTITION, fields=("sk",))}

    def remove(self, schema_id: str) -> Schema:
        """Remove a schema and return it; raise NotFoundError."""
        known = _ID.fullmatch(schema_id)
        row = self.table.take(_PARTITION, schema_id) if known else None
        return _from_row(_there(row, schema_id))


def _there(row: Item | None, schema_id: str) -> Item:
    if row is None:
        raise NotFoundError(f"There is no schema {schema_id:.64}.")
    return row


def _from_row(row: Item) -> Schema:
    fields = {name: value for name, value in row.items() if name not in ("pk", "sk")}
    return Schema(id=row["sk"], **fields)


def schema_id_of(topics: str) -> str:
    """Return the id of a pattern's schema; other spellings of it have the same."""
    name = ".".join(compile_pattern(topics).segments)
    return f"sch_{hashlib.sha256(name.encode()).hexdigest()[:20]}"


class Book:
    """The schemas as they were read once, found by topic."""

    def __init__(self, schemas: Iterable[Schema], read_at: float) -> None:
        self.read_at = read_at
        self._schemas = {s.id: s for s in schemas if s.mode != "off"}

    @cached_property
    def _matcher(self) -> Matcher[str]:
        from eventyard.core.matching import Matcher

        return Matcher((s.id, [s.topics], None) for s in self._schemas.values())

    def __len__(self) -> int:
        return len(self._schemas)

    def for_topic(self, topic: str) -> list[Schema]:
        """Return the schemas that apply to a topic."""
        return [self._schemas[name] for name in self._matcher.match(topic, {})]


class SchemaService:
    """The verbs of schemas; a process reads them all, every ten seconds at most."""

    def __init__(self, store: SchemaStore) -> None:
        self.store = store
        self.clock = time.time
        self._book: Book | None = None

    def save(
        self, topics: str, schema: Any, mode: str, description: str
    ) -> tuple[Schema, bool]:
        """
        Write the schema of a pattern; return it, and whether there was none before.

        Raises InvalidRequestError for a schema that cannot or must not be used, and
        ConflictError when there are too many.
        """
        from chalicelib.events.jsonschemas import vet

        text = vet(schema)
        now = moments.at(self.clock())
        name = schema_id_of(topics)
        others = self.store.ids() - {name}
        if len(others) >= MOST_SCHEMAS:
            raise ConflictError(
                f"There are {MOST_SCHEMAS} schemas, the most there may be."
            )
        made = Schema(name, topics, text, mode, description, now, now)
        is_new = self.store.save(made)
        self._book = None
        return (made if is_new else self.store.get(name)), is_new

    def remove(self, schema_id: str) -> Schema:
        """Remove a schema and return it; raise NotFoundError."""
        self._book = None
        return self.store.remove(schema_id)

    def get(self, schema_id: str, visible: Sequence[str] | None) -> Schema:
        """Return a schema; one for topics that the caller has none of is not there."""
        found = self.store.get(schema_id)
        if not _concerns(found, visible):
            _there(None, schema_id)
        return found

    def page(
        self, visible: Sequence[str] | None, limit: int, cursor: str | None
    ) -> tuple[list[Schema], str | None]:
        """Return schemas by id, and where the next page begins."""
        if cursor and not _ID.fullmatch(cursor):
            raise InvalidRequestError("cursor must be one that a page brought.")
        behind = (s for s in self.store.all(cursor) if _concerns(s, visible))
        found = list(islice(behind, limit + 1))
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def vet(self, events: Sequence[Event]) -> list[Warnings]:
        """
        Hold each event against all schemas of its topic; return what they warn of.

        Raises ValidationError when one that is enforced is violated. What the
        platform itself tells is never refused.
        """
        theirs = [not event.type.startswith(PREFIX) for event in events]
        if not any(theirs) or not (book := self.current()):
            return [()] * len(events)
        return [
            tuple(self._faults(book, index, event)) if checked else ()
            for index, (event, checked) in enumerate(zip(events, theirs, strict=True))
        ]

    def current(self) -> Book:
        """Return the schemas, read anew when ten seconds have passed."""
        now = self.clock()
        if self._book is None or now - self._book.read_at >= KEPT_SECONDS:
            self._book = Book(self.store.all(), now)
        return self._book

    def _faults(
        self, book: Book, index: int, event: Event
    ) -> Iterator[Mapping[str, str]]:
        from chalicelib.events.jsonschemas import compile_schema

        for schema in book.for_topic(event.type):
            fault = compile_schema(schema.text)(event.payload)
            if fault is None:
                continue
            told = {"pattern": schema.topics, **asdict(fault)}
            if schema.mode == "enforce":
                raise ValidationError(
                    f"{fault.path}: {fault.message} (schema of {schema.topics})",
                    details={"index": index, **told},
                )
            yield told

    def infer(self, read: ReadPage, last: int) -> tuple[dict[str, Any], int]:
        """
        Return a schema that fits the newest events, and how many were examined.

        Raises NotFoundError when there are none.
        """
        from chalicelib.events.jsonschemas import infer

        payloads = [event.payload for event in _newest(read, last)]
        if not payloads:
            raise NotFoundError(
                "There are no events of these topics among the newest of the log, or "
                "none that you may read."
            )
        return infer(payloads), len(payloads)


def _newest(read: ReadPage, last: int) -> list[Event]:
    events: list[Event] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = read(last - len(events), cursor)
        # One whose payload rests elsewhere, or is gone, tells nothing about it.
        events += [event for event in page.events if event.dataref is None]
        cursor = page.cursor
        if cursor is None or len(events) >= last:
            break
    return events


def _concerns(schema: Schema, visible: Sequence[str] | None) -> bool:
    return visible is None or any(overlaps(one, schema.topics) for one in visible)
