"""Telling connections of changes: each once, in order, whoever made them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from chalicelib.aws import Item
from chalicelib.pulls.shown import show
from chalicelib.pulls.store import PullStore
from chalicelib.table import Table
from eventyard.core.errors import UnavailableError
from eventyard.core.wire import dumps

_UNTOLD: Final = "out#"
_UNTOLD_END: Final = "out#~"
_TELLER: Final = "teller"
#: A teller that has died lets others on after so long; one that lives ends earlier.
_LEASE_S: Final = 20.0
_WAIT_S: Final = 5.0
_PAUSE_S: Final = 0.03


@dataclass(slots=True)
class _Turn:
    mine: bool
    #: The version of the connections that were last told; None: none yet, this turn.
    knew: int | None = None


@dataclass(frozen=True, slots=True)
class Announcer:
    """
    Tells of the changes of one pull request, one function at a time.

    Changes wait in the order of their revisions, written together with the state.
    Whoever finds another function telling goes away: that one looks again after it
    has let go, so nothing that was written before is left.
    """

    table: Table
    store: PullStore
    #: Posts a change by its place and its JSON text; returns which connections it knew.
    tell: Callable[[str, str], int]
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def announce(self, repository: str, number: int) -> None:
        """Tell of all changes that are still to be told, unless somebody does."""
        pk = _partition(repository, number)
        while self._untold(pk):
            with self._turn(pk) as turn:
                if not turn.mine:
                    return
                self._drain(pk, turn)

    def tell_newest(
        self, pull: tuple[str, int], version: int, tell: Callable[[str, str], None]
    ) -> None:
        """
        Tell somebody the newest state of a pull request, in its turn.

        Not when it was told of to connections of this version already. Raises
        UnavailableError when others tell all the time.
        """
        pk = _partition(*pull)
        until = self.clock() + _WAIT_S
        while self.clock() < until:
            with self._turn(pk) as turn:
                if turn.mine:
                    self._drain(pk, turn)
                    self._tell_newest(turn, pull, version, tell)
                    return
            self.sleep(_PAUSE_S)
        raise UnavailableError(f"{pk} is being told of all the time; try again.")

    def _tell_newest(
        self,
        turn: _Turn,
        pull: tuple[str, int],
        version: int,
        tell: Callable[[str, str], None],
    ) -> None:
        pk = _partition(*pull)
        knew = turn.knew
        if knew is None:
            knew = int((self.table.get(pk, _TELLER) or {}).get("knew", -1))
        row = self.store.read(*pull)
        if knew < version and row.state.is_told:
            shown = {**show(row.state), "revision": row.revision}
            tell(row.place, dumps(shown))

    def _untold(self, pk: str) -> list[Item]:
        return list(self.table.query(pk, after=_UNTOLD, until=_UNTOLD_END))

    def _drain(self, pk: str, turn: _Turn) -> None:
        told = []
        for item in self._untold(pk):
            turn.knew = self.tell(item["place"], item["text"])
            told.append((pk, item["sk"]))
        if told:
            self.table.delete_many(told)

    @contextmanager
    def _turn(self, pk: str) -> Iterator[_Turn]:
        owner, now = uuid4().hex, self.clock()
        turn = _Turn(self.table.lease(pk, _TELLER, owner, now, now + _LEASE_S))
        try:
            yield turn
        finally:
            if turn.mine:
                knew = {} if turn.knew is None else {"knew": turn.knew}
                ended = {"until": 0, **knew}
                self.table.set(pk, _TELLER, ended, only_if={"owner": owner})


def _partition(repository: str, number: int) -> str:
    return f"pull#{repository}#{number}"
