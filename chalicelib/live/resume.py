"""What a connection missed while it was away, read from the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.wire import Placed
from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError

#: Beyond these a client is told `recovered: false` and reads the log itself.
MOST_EVENTS: Final = 1_000
MOST_AGE_MS: Final = 24 * 3_600_000
_MOST_LOOKED_AT: Final = 20_000

#: Yields what is in the log after one place up to another, oldest first, beginning
#: an overlap earlier: several processes write, so places become visible unordered.
ReadAfter = Callable[[str, str], Iterator[Placed]]


def check_cursor(cursor: Any) -> str:
    """Return the cursor, or raise InvalidRequestError."""
    if not isinstance(cursor, str) or not ulid.is_ulid(cursor):
        raise InvalidRequestError(
            f"cursor must be one that a hello or an event brought, not {cursor!r:.40}."
        )
    return cursor


@dataclass(frozen=True, slots=True)
class Resumer:
    """Finds what was missed between a cursor and a place."""

    read_after: ReadAfter
    now_ms: Callable[[], int]

    def now(self) -> str:
        """Return a place at the present end of the log."""
        return ulid.new_ulid(self.now_ms())

    def missed(
        self, cursor: str, wanted: Callable[[Placed], bool]
    ) -> list[Placed] | None:
        """
        Return the wanted events after the cursor, up to now.

        Some from shortly before the cursor may come again. None when too much was
        missed, or the cursor is too old, to send it all.
        """
        age = self.now_ms() - ulid.timestamp_ms(cursor)
        if age > MOST_AGE_MS:
            return None
        found: list[Placed] = []
        for looked_at, placed in enumerate(self.read_after(cursor, self.now())):
            if wanted(placed) and placed.place != cursor:
                found.append(placed)
            if len(found) > MOST_EVENTS or looked_at > _MOST_LOOKED_AT:
                return None
        return found
