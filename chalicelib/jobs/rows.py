"""Rows of results: each under its key, so that the same one again replaces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.jobs.model import digest
from chalicelib.jobs.texts import Texts, size
from chalicelib.table import Put, Table
from eventyard.core.errors import InvalidRequestError, PayloadTooLargeError
from eventyard.core.wire import dumps, loads

#: What one transaction takes at most, beside its condition: rows, and bytes.
_TOGETHER: Final = 50
_TOGETHER_BYTES: Final = 1_000_000
#: A page of rows; an answer has 6 MB.
PAGE_BYTES: Final = 4_000_000
_ROW_BYTES: Final = 1_000_000


@dataclass(slots=True)
class ResultRows:
    """The rows of jobs, a partition for each job, under the digests of their keys."""

    table: Table
    texts: Texts
    clock: Callable[[], float] = time.time

    def pieces(
        self, job_id: str, rows: Sequence[Mapping[str, Any]], keep_s: int
    ) -> Iterator[list[Put]]:
        """
        Yield what is to be written, in pieces that fit a transaction.

        Of several rows with one key the last counts. Raises InvalidRequestError for
        what is no row, and PayloadTooLargeError.
        """
        # Told apart first: a transaction takes no item twice.
        latest = {_key(row): row for row in rows}
        ttl = int(self.clock()) + keep_s
        piece: list[Put] = []
        held = 0
        for key, row in latest.items():
            item = self._item(job_id, key, row, ttl)
            weight = size(item.get("text", ""))
            if piece and (len(piece) == _TOGETHER or held + weight > _TOGETHER_BYTES):
                yield piece
                piece, held = [], 0
            piece.append(Put(item))
            held += weight
        if piece:
            yield piece

    def _item(self, job_id: str, key: str, row: Mapping[str, Any], ttl: int) -> Item:
        text = dumps(dict(row))
        if size(text) > _ROW_BYTES:
            raise PayloadTooLargeError(
                f"A row of results may have {_ROW_BYTES} bytes, not {size(text)}."
            )
        return {
            "pk": _partition(job_id),
            "sk": digest(key)[:32],
            "ttl": ttl,
            "failed": bool(row.get("error")),
            **self.texts.body(text),
        }

    def page(
        self, job_id: str, cursor: str | None, limit: int, room: int = PAGE_BYTES
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return rows behind a cursor, at least one, and where they go on."""
        found: list[dict[str, Any]] = []
        held, last = 0, cursor
        for item in self.table.query(_partition(job_id), after=cursor):
            text = self.texts.text(item)
            if found and (len(found) == limit or held + size(text) > room):
                return found, last
            found.append(loads(text))
            held += size(text)
            last = item["sk"]
        return found, None

    def all(self, job_id: str) -> list[dict[str, Any]]:
        """Return all rows of a job."""
        every = self.table.query(_partition(job_id))
        return [loads(self.texts.text(item)) for item in every]

    def count(self, job_id: str) -> tuple[int, int]:
        """Count the rows that are good, and those that tell of an error."""
        every = self.table.query(_partition(job_id), fields=("failed",))
        failed = [bool(item["failed"]) for item in every]
        return failed.count(False), failed.count(True)


def _key(row: Any) -> str:
    key = row.get("key") if isinstance(row, Mapping) else None
    if not isinstance(key, str) or not key:
        raise InvalidRequestError("A row of results is an object with a text as key.")
    return key


def _partition(job_id: str) -> str:
    return f"jobs-results#{job_id}"
