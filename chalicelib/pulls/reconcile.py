"""The reconciler: asks GitHub for what it could not deliver, and compares the states."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.pulls.github_api import (
    DELIVERIES_KEPT_S,
    GitHubApi,
    RateLimitedError,
    is_delivered,
)
from chalicelib.table import Table
from chalicelib.telemetry import log, log_error
from eventyard.core import ulid

_ROWS: Final = "reconcile"
#: The row that says until when GitHub wants to be left alone.
_PAUSE: Final = "~pause"
_EVERY_S: Final = 3_600.0
#: Who finds another one at it looks again after this.
_LOOK_AGAIN_S: Final = 300.0
#: The sweep has more to do: what is left is for its next round.
_TICK_S: Final = 20.0
#: GitHub asks for pauses between many of them.
_MOST_REDELIVERED: Final = 20
_MOST_FETCHED: Final = 50
#: A delivery that fails as often as this fails for a reason.
_MOST_TRIES: Final = 5
_PATHS: Final = ("/webhook", "/webhooks/github")

Shape = Mapping[str, Any]


@dataclass(slots=True)
class Reconciler:
    """
    Repairs what was lost on the way from GitHub, once an hour for each repository.

    GitHub sends nothing again by itself. Without a token nothing is done.
    """

    #: None: there is no token.
    github: GitHubApi | None
    table: Table
    #: The repositories whose pull requests are known.
    repositories: Callable[[], Iterable[str]]
    #: The numbers of a repository's pull requests that are open here.
    open_numbers: Callable[[str], Iterable[int]]
    #: Takes a pull request as REST tells it; one of a list tells no sizes.
    take_pull: Callable[[str, Shape], None]
    #: How the address of our hook begins; empty: it is known by its end.
    url: str = ""
    clock: Callable[[], float] = time.time
    _later: dict[str, float] = field(default_factory=dict)

    def tick(self) -> dict[str, int]:
        """Do what is due, for some seconds; tell how much was done."""
        done = {"redelivered": 0, "compared": 0}
        if self.github is None or self._is_paused():
            return done
        until = self.clock() + _TICK_S
        for repository in self.repositories():
            if self.clock() > until:
                break
            if not self._take(repository):
                continue
            try:
                _Round(self, self.github, repository, done).run()
            except RateLimitedError as error:
                self._pause(repository, error)
                break
            except Exception as error:  # noqa: BLE001 - one never blocks the others
                log_error("not reconciled", error, repository=repository)
        return done

    def _is_paused(self) -> bool:
        row = self.table.get(_ROWS, _PAUSE)
        return row is not None and row["until"] > self.clock()

    def _take(self, repository: str) -> bool:
        now = self.clock()
        if self._later.get(repository, 0) > now:
            return False
        taken = self.table.lease(
            _ROWS, repository, ulid.new_ulid(), now, now + _EVERY_S
        )
        self._later[repository] = now + (_EVERY_S if taken else _LOOK_AGAIN_S)
        return bool(taken)

    def again_soon(self, repository: str) -> None:
        """Let the next round go on with a repository."""
        self._later.pop(repository, None)
        self.table.set(_ROWS, repository, {"until": 0})

    def _pause(self, repository: str, error: RateLimitedError) -> None:
        log_error("reconciling is put off", error, repository=repository)
        self.table.put(
            {
                "pk": _ROWS,
                "sk": _PAUSE,
                "until": error.until,
                "ttl": int(error.until) + 1,
            }
        )
        self.again_soon(repository)

    def is_ours(self, hook: Shape) -> bool:
        """Tell whether a hook leads here."""
        url = str((hook.get("config") or {}).get("url") or "")
        if self.url:
            return url.startswith(self.url)
        try:
            return urlsplit(url).path.endswith(_PATHS)
        except ValueError:
            return False


@dataclass(slots=True)
class _Round:
    """One repository, once."""

    reconciler: Reconciler
    github: GitHubApi
    repository: str
    done: dict[str, int]
    left: bool = False

    def run(self) -> None:
        for hook in self.github.hooks(self.repository) or ():
            if self.reconciler.is_ours(hook):
                self._redeliver(hook["id"])
        self._compare()
        if self.left:
            self.reconciler.again_soon(self.repository)

    def _redeliver(self, hook: int) -> None:
        since = self.reconciler.clock() - DELIVERIES_KEPT_S
        lost = [*_lost(self.github.deliveries(self.repository, hook, since))]
        # The oldest first: that is how they were meant to come.
        for delivery in lost[::-1][:_MOST_REDELIVERED]:
            if self.github.redeliver(self.repository, hook, delivery["id"]):
                self.done["redelivered"] += 1
                log("redelivered", repository=self.repository, guid=delivery["guid"])
        self.left |= len(lost) > _MOST_REDELIVERED

    def _compare(self) -> None:
        listed = self.github.open_pulls(self.repository)
        if listed is None:
            log("GitHub knows no such repository", repository=self.repository)
            return
        ours = set(self.reconciler.open_numbers(self.repository))
        theirs = {one["number"]: one for one in listed if type(one["number"]) is int}
        for number in sorted(ours & theirs.keys()):
            self._hand_on(number, theirs[number])
        # What we do not know, and what is open no more, is asked for whole.
        unlike = sorted(ours ^ theirs.keys())
        for number in unlike[:_MOST_FETCHED]:
            self._hand_on(number, self.github.pull(self.repository, number))
        self.left |= len(unlike) > _MOST_FETCHED

    def _hand_on(self, number: int, pull: Shape | None) -> None:
        if pull is None:
            log("not on GitHub", repository=self.repository, number=number)
            return
        try:
            self.reconciler.take_pull(self.repository, pull)
        except Exception as error:  # noqa: BLE001 - one never blocks the others
            told = {"repository": self.repository, "number": number}
            log_error("a pull request was not reconciled", error, **told)
            return
        self.done["compared"] += 1


def _lost(deliveries: Iterable[Shape]) -> Iterator[Shape]:
    """Yield the newest try of what was never delivered, the newest first."""
    tries: dict[str, list[Shape]] = {}
    for delivery in deliveries:
        tries.setdefault(str(delivery.get("guid")), []).append(delivery)
    for found in tries.values():
        if len(found) < _MOST_TRIES and not any(map(is_delivered, found)):
            yield found[0]
