"""The projection: facts into states, each change with its event in one transaction."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.pulls.facts import Check, PullFacts, Push
from chalicelib.pulls.shown import show
from chalicelib.pulls.state import PullState
from chalicelib.pulls.store import PullStore, Row, branch_of
from chalicelib.table import ThrottledError
from eventyard.core import ulid
from eventyard.core.errors import UnavailableError
from eventyard.core.event import Event
from eventyard.core.wire import dumps

#: The event of each change; nobody else can publish under this name.
UPDATED: Final = "eventyard.pull.updated"
SOURCE: Final = "eventyard"
_TRIES: Final = 20
Change = Callable[[PullState], PullState]


@dataclass(frozen=True, slots=True)
class Projection:
    """
    Merges facts into the states of pull requests.

    A change is one transaction: the state, its place in the lists, the lines of its
    timeline, its event in the log, and what connections are still to be told.
    """

    store: PullStore
    new_key: Callable[[], str]
    log_item: Callable[[str, Sequence[Event], str], Item]
    sleep: Callable[[float], None] = time.sleep

    def merge(self, told: PullFacts, cause: str | None = None) -> PullState:
        """
        Merge what a delivery tells; returns the state after it.

        `cause` is the id of the event that told it. Raises UnavailableError when too
        many change the same pull request.
        """
        row = self._change(
            told.repository,
            told.number,
            lambda _, state: state.merge(told),
            _Why(told, cause),
        )
        state = row.state
        if state.sha and state.checks.get("sha") != state.sha:
            # The links of this head are there now: whoever comes with a check finds
            # them, and what came before them is found here.
            state = self.refresh(state.repository, state.number, cause)
        return state

    def refresh(
        self, repository: str, number: int, cause: str | None = None
    ) -> PullState:
        """Look again at what stands at the head commit and came to the branch."""
        return self._change(repository, number, self._look, _Why(None, cause)).state

    def check(self, told: Check, cause: str | None = None) -> list[int]:
        """Keep a check; returns the pull requests that it concerns."""
        self.store.put_check(told)
        _, numbers = self.store.at_commit(told.repository, told.sha)
        for number in numbers:
            self.refresh(told.repository, number, cause)
        return numbers

    def push(self, told: Push, cause: str | None = None) -> list[int]:
        """Keep what came to a branch; returns the pull requests that it concerns."""
        self.store.put_push(told)
        _, numbers = self.store.at_branch(told.repository, told.branch)
        for number in numbers:
            self.refresh(told.repository, number, cause)
        return numbers

    def _look(self, _: Row, state: PullState) -> PullState:
        # The state was read before: whoever writes a check later finds its version
        # moved, or moves it.
        if not state.sha:
            return state
        found, _numbers = self.store.at_commit(state.repository, state.sha)
        seen = state.with_checks(state.sha, found)
        return seen if seen.first_commit_at else self._with_first_commit(seen)

    def _with_first_commit(self, state: PullState) -> PullState:
        branch, opened = branch_of(state), state.core[1].get("created_at")
        if not branch or not opened:
            return state
        pushes, _ = self.store.at_branch(state.repository, branch)
        return replace(state, first_commit_at=first_commit(pushes, opened))

    def _change(
        self,
        repository: str,
        number: int,
        change: Callable[[Row, PullState], PullState],
        why: _Why,
    ) -> Row:
        for attempt in range(_TRIES):
            old = self.store.read(repository, number)
            saved = self._save(old, change(old, old.state), why)
            if saved is not None:
                return saved
            self.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))  # noqa: S311
        raise UnavailableError(f"Too much changes {repository}#{number}; try again.")

    def _save(self, old: Row, state: PullState, why: _Why) -> Row | None:
        lines = self.store.lines(state, why.told.moments) if why.told else []
        if state == old.state:
            self.store.put_lines(lines)
            return old
        new = replace(old, state=state)
        beside = lines
        if state.is_told:
            new, more = self._shown(old, state, why.cause)
            beside = [*lines, *more]
        try:
            written = self.store.write(old, new, beside)
        except ThrottledError:  # somebody else changes it at this very moment
            return None
        return new if written else None

    def _shown(
        self, old: Row, state: PullState, cause: str | None
    ) -> tuple[Row, list[Item]]:
        told = show(state)
        if old.state.is_told and show(old.state) == told:
            return replace(old, state=state), []
        revision = old.revision + 1
        shown = {**told, "revision": revision}
        # The log has the changes of one pull request in their order, whatever the
        # clocks of those who write them say.
        fresh = self.new_key()
        key = fresh if fresh > old.place else _later(old.place)
        listing = self.store.listing(state, shown)
        new = Row(
            state, old.version, revision, key, (str(listing["pk"]), str(listing["sk"]))
        )
        return new, [listing, self._event(key, shown, cause), _untold(key, shown)]

    def _event(self, key: str, shown: Mapping[str, Any], cause: str | None) -> Item:
        group = f"{shown['repository_name']}#{shown['pr_number']}"
        event = Event(
            UPDATED,
            dict(shown),
            id=f"evt_{key}",
            source=SOURCE,
            causation_id=cause,
            group=group,
        )
        return self.log_item(key, [event], SOURCE)


@dataclass(frozen=True, slots=True)
class _Why:
    told: PullFacts | None
    cause: str | None


def first_commit(pushes: Iterable[Item], opened: str) -> str | None:
    """
    Return when the first commit was made of what came to a branch before a moment.

    A branch that was made anew begins anew: names of branches are used again.
    """
    earliest: str | None = None
    for push in _before(pushes, opened):
        made = str(push["first"])
        begins = earliest is None or push["created"]
        earliest = made if begins else min(str(earliest), made)
    return earliest


def _before(pushes: Iterable[Item], opened: str) -> Iterator[Item]:
    for push in pushes:
        if push["sk"].split("#")[1] <= opened:
            yield push


def _later(place: str) -> str:
    return ulid.new_ulid(ulid.timestamp_ms(place) + 1)


def _untold(key: str, shown: Mapping[str, Any]) -> Item:
    name = f"pull#{shown['repository_name']}#{shown['pr_number']}"
    sk = f"out#{shown['revision']:010d}"
    return {"pk": name, "sk": sk, "place": key, "text": dumps(dict(shown))}
