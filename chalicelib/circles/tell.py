"""What the log, and the history of a circle, are told of a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.circles.store import PAGE_BYTES
from chalicelib.table import Put, Table
from eventyard.core.event import Event
from eventyard.core.wire import dumps, loads
from eventyard.orchestration.history import record

SOURCE: Final = "eventyard.circles"
#: What tells of changes that have no type of their own.
CIRCLE_UPDATED: Final = "circle.updated"
CIRCLE_DELETED: Final = "circle.deleted"
TASK_UPDATED: Final = "task.updated"
CONFLICT_RESOLVED: Final = "task.conflict.resolved"
_DAY_S: Final = 86_400


@dataclass(slots=True)
class Teller:
    """Makes what is written together with a change; lines end with the log's."""

    table: Table
    new_key: Callable[[], str]
    log_item: Callable[[str, Sequence[Event], str], Item]
    retention_days: int
    clock: Callable[[], float]

    def told(self, event: Event) -> list[Put]:
        """Return the commit of an event, and its line in the history."""
        place = self.new_key()
        event.id = f"evt_{place}"
        event.source = SOURCE
        commit = self.log_item(place, [event], SOURCE)
        return [Put(commit), Put(self.line(event.circle_id, place, record(event)))]

    def line(self, circle_id: int, place: str, shown: dict[str, Any]) -> Item:
        """Return a line of the history of a circle."""
        return {
            "pk": _part(circle_id),
            "sk": place,
            "kind": shown["event_type"],
            "text": dumps(shown),
            "ttl": int(self.clock()) + self.retention_days * _DAY_S,
        }

    def history(
        self, circle_id: int, kind: str | None, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return lines, the newest first, and where they go on."""
        return paged(self._lines(circle_id, kind, cursor), limit)

    def _lines(
        self, circle_id: int, kind: str | None, cursor: str | None
    ) -> Iterator[tuple[str, str]]:
        found = self.table.query(_part(circle_id), until=cursor, newest_first=True)
        for item in found:
            if item["sk"] != cursor and kind in (None, item["kind"]):
                yield item["sk"], item["text"]


def paged(
    found: Iterator[tuple[str, str]], limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """
    Return a page of texts, each with its cursor, and where it goes on.

    At least one, and no more than an answer has room for.
    """
    page: list[dict[str, Any]] = []
    last, held = None, 0
    for cursor, text in found:
        held += len(text.encode())
        if page and (len(page) == limit or held > PAGE_BYTES):
            return page, last
        page.append(loads(text))
        last = cursor
    return page, None


def _part(circle_id: int) -> str:
    return f"circle#{circle_id}#events"
