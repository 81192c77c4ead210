"""Telling connections of changes: each once, in order, whoever made them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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
#: One that lives is done long before; after so long it may have died.
_USUAL_S: Final = 2.0
_WAIT_S: Final = 5.0
_PAUSE_S: Final = 0.03


@dataclass(slots=True)
class _Turn:
    """Whose turn it is to tell of a pull request, as its item says."""

    pk: str
    owner: str
    #: Moved by whoever came while somebody else told.
    came: int
    #: The version of the connections that were last told.
    knew: int


@dataclass(slots=True)
class Announcer:
    """
    Tells of the changes of one pull request, one function at a time.

    Changes wait in the order of their revisions, written together with the state.
    Whoever finds another function telling leaves a mark and goes away: that one looks
    again before it lets go.
    """

    table: Table
    store: PullStore
    #: Posts a change by its place and its JSON text; returns which connections it knew.
    tell: Callable[[str, str], int]
    #: Asks to be called again for a pull request, in so many seconds.
    later: Callable[[str, int, int], None]
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def announce(self, repository: str, number: int) -> None:
        """Tell of all changes that are still to be told, unless somebody does."""
        pk = _partition(repository, number)
        turn = self._take(pk)
        if turn is None:
            others = self.table.add(pk, _TELLER, came=1)
            # It may have been let go between the two: then nobody saw the mark.
            turn = self._take(pk)
            if turn is None:
                self._distrust(others, repository, number)
        while turn is not None:
            self._drain(turn)
            turn = None if self._let_go(turn) else self._take(pk)

    def _distrust(self, others: Item, repository: str, number: int) -> None:
        """Have a look again behind a turn that lasts: who has it may have died."""
        left = float(others.get("until", 0)) - self.clock()
        if left < _LEASE_S - _USUAL_S:
            self.later(repository, number, max(math.ceil(left), 0) + 1)

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
            turn = self._take(pk)
            if turn is not None:
                # Read first: what is written from here on is told after it.
                newest = self.store.read(*pull)
                self._drain(turn)
                if turn.knew < version and newest.state.is_told:
                    shown = {**show(newest.state), "revision": newest.revision}
                    tell(newest.place, dumps(shown))
                if not self._let_go(turn):
                    self.announce(*pull)
                return
            self.sleep(_PAUSE_S)
        raise UnavailableError(f"{pk} is being told of all the time; try again.")

    def _drain(self, turn: _Turn) -> None:
        for item in self.table.query(turn.pk, after=_UNTOLD, until=_UNTOLD_END):
            turn.knew = self.tell(item["place"], item["text"])
            # One by one: who follows a teller that died begins with what it told
            # last, so that nobody sees a state go back.
            self.table.delete_many([(turn.pk, item["sk"])])

    def _take(self, pk: str) -> _Turn | None:
        owner, now = uuid4().hex, self.clock()
        item = self.table.lease(pk, _TELLER, owner, now, now + _LEASE_S)
        if item is None:
            return None
        return _Turn(pk, owner, int(item.get("came", 0)), int(item.get("knew", -1)))

    def _let_go(self, turn: _Turn) -> bool:
        """End a turn; False when somebody came meanwhile, or it had ended already."""
        # A mark that is not there yet, and one of nobody, are the same.
        seen = {"owner": turn.owner, "came": turn.came or None}
        ended = {"until": 0, "knew": turn.knew}
        if self.table.set(turn.pk, _TELLER, ended, only_if=seen):
            return True
        mine = {"owner": turn.owner}
        self.table.set(turn.pk, _TELLER, ended, only_if=mine)
        return False


def _partition(repository: str, number: int) -> str:
    return f"pull#{repository}#{number}"
