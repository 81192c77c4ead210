"""Memories as items, and each change as one transaction with its event."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from chalicelib._transactions import MOST_TOGETHER
from chalicelib.aws import Item
from chalicelib.memories.model import (
    SPACES,
    Key,
    Space,
    Vector,
    gone_key,
    place_key,
    row_key,
    space_key,
)
from chalicelib.table import Change, Put, Table, Write, patiently
from eventyard.core import ulid
from eventyard.core.errors import ConflictError, UnavailableError
from eventyard.core.event import Event
from eventyard.rag.tell import Told

SOURCE: Final = "eventyard.memories"
#: Rows become part of a segment when their ids are so old, and none comes behind it then.
SETTLE_MS: Final = 60_000
#: So old may an id be when its row is sent. A function that serves requests has 29 s.
_LATE_MS: Final = 25_000
_BUSY: Final = "Too much changes here at once; try again."
#: A key of the caller's own is remembered for so long.
_KEY_S: Final = 86_400
Done = TypeVar("Done")


class KeyReusedError(ConflictError):
    """The idempotency key stands for another request."""

    code = "idempotency_key_reused"


class LateError(UnavailableError):
    """It would come behind what was searched already; nothing was written."""

    code = "too_late"


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key: whose it is, and what it stands for."""

    by: str
    key: str
    body: str

    @property
    def place(self) -> Key:
        """Return where it is kept."""
        return "memory-claims", _digest(f"{self.by}\n{self.key}")

    def to_item(self, ids: Sequence[str], now: float) -> Item:
        """Return what is stored of it."""
        pk, sk = self.place
        kept = {"body": _digest(self.body), "ids": list(ids)}
        return {"pk": pk, "sk": sk, "ttl": int(now) + _KEY_S, **kept}

    def ids(self, item: Item) -> list[str]:
        """Return the first answer's ids; raises KeyReusedError."""
        if item["body"] != _digest(self.body):
            raise KeyReusedError
        return list(item["ids"])


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that is to be written, with the vector that decides where it fits."""

    item: Item
    vector: Vector

    @property
    def space(self) -> str:
        """Return the space that it is for."""
        return str(self.item["space"])


@dataclass(slots=True)
class MemoryStore:
    """Reads rows, and writes each change with all that belongs to it."""

    table: Table
    new_key: Callable[[], str]
    #: What appending a commit writes: its key, its events, and who appends.
    log_item: Callable[[str, Sequence[Event], str], Item]
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    # Reading

    def spaces(
        self, names: Iterable[str]
    ) -> tuple[dict[str, Space], dict[str, set[str]]]:
        """Return those spaces that there are, and what was forgotten of each."""
        wanted = list(names)
        keys = [key(name) for name in wanted for key in (space_key, gone_key)]
        found = self.table.get_many(keys)
        spaces = {
            name: Space.read(found[space_key(name)])
            for name in wanted
            if space_key(name) in found
        }
        gone = {
            name: set(found.get(gone_key(name), {}).get("ids", ())) for name in wanted
        }
        return spaces, gone

    def all_spaces(self) -> Iterator[Space]:
        """Yield every space, by its name."""
        yield from map(Space.read, self.table.query(SPACES))

    def locate(self, name: str, prefix: str) -> tuple[Item, Item] | None:
        """Return a row by its id, and how often it was used; None: there is none."""
        place = name.removeprefix(prefix)
        if not name.startswith(prefix) or not ulid.is_ulid(place):
            return None
        used = self.table.get(*place_key(place))
        if used is None:
            return None
        row = self.table.get(*row_key(used["space"], used["row"]))
        return None if row is None or is_forgotten(row) else (row, used)

    def rows(self, hits: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Return rows that are not forgotten, by their space and place."""
        wanted = {row_key(*hit): hit for hit in hits}
        found = self.table.get_many(wanted)
        return {wanted[key]: row for key, row in found.items() if not is_forgotten(row)}

    def uses(self, places: Iterable[str]) -> dict[str, Item]:
        """Return how often rows were used."""
        wanted = {place_key(place): place for place in places}
        return {wanted[key]: row for key, row in self.table.get_many(wanted).items()}

    def behind(
        self,
        space: str,
        after: str,
        until: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Item]:
        """Yield the rows of a space behind a place, the oldest first."""
        pk, _ = row_key(space, "")
        yield from self.table.query(pk, after=after or None, until=until, fields=fields)

    def newest(self, space: str, until: str | None) -> Iterator[Item]:
        """Yield the rows of a space from a place on, the newest first."""
        pk, _ = row_key(space, "")
        yield from self.table.query(pk, until=until, newest_first=True)

    def claimed(self, claim: Claim | None) -> list[str] | None:
        """Return what a key was answered with before; raises KeyReusedError."""
        if claim is None:
            return None
        found = self.table.get(*claim.place)
        if found is None or int(found["ttl"]) <= self.clock():
            return None
        return claim.ids(found)

    # Writing

    def add(
        self,
        kept: Sequence[Kept],
        told: Sequence[Told],
        by: str,
        claim: Claim | None = None,
        beside: Sequence[Write] = (),
    ) -> tuple[list[str], bool]:
        """
        Write rows with their events; all or nothing.

        Returns their ids, and whether they were written now: with a key that was used
        before it is the first answer. Raises InvalidMemoryError, SpaceFullError,
        KeyReusedError, LateError, UnavailableError; ConflictError where `beside` may not be.
        """
        ids = [str(one.item["id"]) for one in kept]

        def act() -> tuple[list[str], bool] | None:
            known = self.claimed(claim)
            if known is not None:
                return known, False
            writes = [*beside, *self._opened(kept), *self._claiming(claim, ids)]
            for one in kept:
                writes += self._placed(one.item)
            failed = self.table.write_all([*writes, Put(self._commit(told, by))])
            if failed and failed[0] < len(beside):
                raise ConflictError("Somebody else changed it meanwhile.")
            # What hinders is a key or a space that somebody else made: seen next time.
            return None if failed else (ids, True)

        return self.patiently(act)

    def _opened(self, kept: Sequence[Kept]) -> list[Write]:
        """Check that vectors fit their spaces; return those that there are not yet."""
        spaces, gone = self.spaces(dict.fromkeys(one.space for one in kept))
        known = set(spaces)
        for one in kept:
            name, vector = one.space, one.vector
            fresh = Space(name, vector.dimension, vector.model)
            space = spaces.setdefault(name, fresh)
            space.check(vector)
            self._check_moment(space, one.item["sk"])
        for name, space in spaces.items():
            places = [one.item["sk"] for one in kept if one.space == name]
            space.check_room(len(places), gone[name])
            if any(is_looked_after(place) for place in places):
                self._check_tail(space, len(places), gone[name])
        new = [space for name, space in spaces.items() if name not in known]
        return [Put(space.to_item(), fresh=True) for space in new]

    def _check_moment(self, space: Space, place: str) -> None:
        # A row that comes later than its id says would be in no segment, and behind
        # none: no search would find it.
        age = int(self.clock() * 1_000) - ulid.timestamp_ms(place)
        if age > _LATE_MS or place <= space.until:
            raise LateError("This took too long, or a clock is wrong; try again.")

    def _check_tail(self, space: Space, more: int, gone: set[str]) -> None:
        """Refuse what is too much with the rows that are in no segment yet."""
        fields = ("sk", "forgotten_at")
        rows = self.behind(space.name, space.until, fields=fields)
        tail = sum(1 for row in rows if not is_forgotten(row))
        if space.room(gone) >= tail + more:
            return
        # Not everybody counts: the others are told, until it is compacted.
        is_same = {"version": space.version}
        self.table.set(*space_key(space.name), {"full": True}, only_if=is_same)
        space.check_room(more, gone, tail)

    def _claiming(self, claim: Claim | None, ids: Sequence[str]) -> list[Write]:
        if claim is None:
            return []
        return [Put(claim.to_item(ids, self.clock()), fresh=True)]

    def _placed(self, item: Item) -> list[Write]:
        place = str(item["id"]).partition("_")[2]
        pk, sk = place_key(place)
        at = {"pk": pk, "sk": sk, "space": item["space"], "row": item["sk"]}
        if place != item["sk"]:
            # A new version of one that there is: how often it was used goes on.
            return [
                Put(item, fresh=True),
                Change((pk, sk), sets={"row": item["sk"]}, only_if={}),
            ]
        return [Put(item, fresh=True), Put(at, fresh=True)]

    def _commit(self, told: Sequence[Told], by: str) -> Item:
        place = self.new_key()
        events = [
            Event(
                kind, data, id=f"evt_{ulid.add(place, n)}", source=SOURCE, **attributes
            )
            for n, (kind, data, attributes) in enumerate(told)
        ]
        return self.log_item(place, events, by)

    def forget(self, row: Item, told: Told, by: str, keep_s: int) -> bool:
        """Have a row found no more, with its event; False: somebody did already."""

        def act() -> bool | None:
            writes = [*self.gone(row, keep_s), Put(self._commit([told], by))]
            failed = self.table.write_all(writes)
            return not failed

        return self.patiently(act)

    def gone(self, row: Item, keep_s: int) -> list[Write]:
        """Return what forgets a row; it fails where the row is forgotten already."""
        now = self.clock()
        return [
            Change(
                (row["pk"], row["sk"]),
                sets={"forgotten_at": now, "ttl": int(now) + keep_s},
                only_if={"id": row["id"], "forgotten_at": None},
            ),
            Change(gone_key(row["space"]), adds={"ids": {row["sk"]}}),
        ]

    def note_uses(
        self, places: Sequence[str], told: Told, by: str, used_at: str
    ) -> None:
        """Count that rows were used, with the event that tells of it."""
        uses: list[Write] = [
            Change(place_key(one), sets={"used_at": used_at}, adds={"uses": 1})
            for one in places
        ]

        first, rest = uses[: MOST_TOGETHER - 1], uses[MOST_TOGETHER - 1 :]

        def act() -> bool:
            self.table.write_all([Put(self._commit([told], by)), *first])
            if rest:
                self.table.write_all(rest)
            return True

        self.patiently(act)

    def patiently(self, act: Callable[[], Done | None]) -> Done:
        """Do what others may hinder until it is done; None asks to begin again."""
        return patiently(act, self.sleep, _BUSY)


def is_looked_after(place: str) -> bool:
    """Tell whether a row is one of the few that have their space looked after."""
    return place.endswith("0")


def is_forgotten(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is to be found no more."""
    return row.get("forgotten_at") is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
