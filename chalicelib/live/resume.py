"""What a connection missed while it was away, read from the log."""

from __future__ import annotations

import re
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
_AHEAD_MS: Final = 1_000

#: A place, and when it was read from the log rather than sent as it was routed.
#: The later of two cursors is the higher text.
_CURSOR: Final = re.compile(r"([0-7][0-9A-HJKMNP-TV-Z]{25})(?:~([0-9]{13}))?")

#: Yields what is in the log after one place up to another, oldest first, beginning
#: an overlap earlier: several processes write, so places become visible unordered.
#: The third says when the place was read from the log, if it was.
ReadAfter = Callable[[str, str, int | None], Iterator[Placed]]


def check_cursor(cursor: Any) -> str:
    """Return the cursor, or raise InvalidRequestError."""
    if not isinstance(cursor, str) or not _CURSOR.fullmatch(cursor):
        raise InvalidRequestError(
            f"cursor must be one that a hello or an event brought, not {cursor!r:.40}."
        )
    return cursor


def _taken_apart(cursor: str) -> tuple[str, int | None]:
    place, _, read_ms = cursor.partition("~")
    return place, int(read_ms) if read_ms else None


@dataclass(frozen=True, slots=True)
class Resumer:
    """Finds what was missed between a cursor and a place."""

    read_after: ReadAfter
    now_ms: Callable[[], int]

    def now(self) -> str:
        """Return a place at the present end of the log."""
        return ulid.new_ulid(self.now_ms())

    def reading(self) -> str:
        """Return what to add to the cursors of what is read from the log now."""
        return f"~{self.now_ms():013d}"

    def missed(
        self, cursor: str, wanted: Callable[[Placed], bool]
    ) -> list[Placed] | None:
        """
        Return the wanted events after the cursor, up to now.

        Some from shortly before the cursor may come again. None when too much was
        missed, or the cursor is too old, to send it all.
        """
        place, read_ms = _taken_apart(cursor)
        age = self.now_ms() - ulid.timestamp_ms(place)
        if age > MOST_AGE_MS:
            return None
        found: list[Placed] = []
        # Those who publish may have clocks that are ahead of this one.
        until = ulid.floor(self.now_ms() + _AHEAD_MS)
        for looked_at, placed in enumerate(self.read_after(place, until, read_ms)):
            if wanted(placed) and placed.place != place:
                found.append(placed)
            if len(found) > MOST_EVENTS or looked_at > _MOST_LOOKED_AT:
                return None
        return found
