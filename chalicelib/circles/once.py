"""A second try of a creation finds what the first one made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.circles.store import digest
from chalicelib.table import Put, Table
from eventyard.core.errors import ConflictError
from eventyard.core.wire import dumps

#: A key is remembered for so long, in seconds.
KEY_S: Final = 86_400
_PART: Final = "circles#key"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody asks for, and the key that tells a second try, if they gave one."""

    by: Principal
    key: str | None
    kind: str
    wish: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Return where the key is kept."""
        return digest(self.by.id, self.kind, self.key or "")

    @property
    def digest(self) -> str:
        """Return what stands for the wish."""
        return digest(dumps(dict(self.wish)))


@dataclass(slots=True)
class Once:
    """Keys of creations."""

    table: Table
    clock: Callable[[], float]

    def claim(self, attempt: Attempt, made: int) -> list[Put]:
        """Return what takes the key for what is made, if there is a key."""
        if attempt.key is None:
            return []
        item = {
            "pk": _PART,
            "sk": attempt.place,
            "made": made,
            "digest": attempt.digest,
            "ttl": int(self.clock()) + KEY_S,
        }
        return [Put(item, fresh=True)]

    def made(self, attempt: Attempt) -> int | None:
        """
        Return what an earlier try made; None: there was none.

        Raises ConflictError when that asked for something else.
        """
        if attempt.key is None:
            return None
        held = self.table.get(_PART, attempt.place)
        if held is None:
            return None
        if held["digest"] != attempt.digest:
            raise ConflictError(
                "This idempotency key was used for something else.",
                code="idempotency_key_reused",
                details={"id": int(held["made"])},
            )
        return int(held["made"])
