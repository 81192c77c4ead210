"""Insights at rest: what was said of each commit, what may be said again, who reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chalicelib.aws import Item
from chalicelib.table import Table
from eventyard.core.wire import dumps, loads

if TYPE_CHECKING:
    # Whoever only shows insights needs nothing of how they are made.
    from chalicelib.pulls.analysis import Analysis
    from chalicelib.pulls.analyst import Answer

COUNTER_KEY: Final = ("counter", "insights")
#: Longer than a function lives: whoever holds a lease that is over is dead.
LEASE_S: Final = 300.0
_CACHE: Final = "insight-cache"
_CACHE_TTL: Final = 30 * 86_400
_LEASE: Final = "insight-lease"
_PREFIX: Final = "insight#"

Insight = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One commit of one pull request."""

    repository: str
    number: int
    sha: str

    @property
    def partition(self) -> str:
        """Return where all of its pull request stands."""
        return f"pull#{self.repository}#{self.number}"

    @property
    def lease(self) -> tuple[str, str]:
        """Return the key of the lease on reading it."""
        return _LEASE, f"{self.repository}#{self.number}#{self.sha}"


@dataclass(frozen=True, slots=True)
class Kept:
    """An insight, and what is needed to tell it anew."""

    insight: Insight
    #: What was said before the event flow was added to it.
    analysis: Analysis
    #: The message of the queue that asked for it.
    message: str
    #: Whether the state of the pull request was told of it.
    attached: bool


@dataclass(slots=True)
class InsightStore:
    """Rows of insights; JSON text, because an insight has nulls and a row has none."""

    table: Table
    clock: Callable[[], float] = time.time

    def get(self, key: Key) -> Kept | None:
        """Return what was said of a commit."""
        row = self.table.get(key.partition, _PREFIX + key.sha)
        return _kept(row) if row else None

    def all(self, repository: str, number: int) -> list[Insight]:
        """Return the insights of a pull request, the newest first."""
        partition = Key(repository, number, "").partition
        rows = self.table.query(partition, after=_PREFIX, until=_PREFIX + "~")
        return sorted((loads(row["insight"]) for row in rows), key=_age, reverse=True)

    def latest(self, repository: str, number: int) -> Insight | None:
        """Return the newest insight of a pull request."""
        return next(iter(self.all(repository, number)), None)

    def save(self, key: Key, kept: Kept) -> None:
        """Write what is said of a commit, in place of what was."""
        self.table.put(
            {
                "pk": key.partition,
                "sk": _PREFIX + key.sha,
                "insight": dumps(kept.insight),
                "analysis": dumps(kept.analysis.to_dict()),
                "message": kept.message,
                "attached": kept.attached,
            }
        )

    def take(self, key: Key, owner: str) -> bool:
        """Take the reading of a commit for oneself; False when somebody is at it."""
        now = self.clock()
        return bool(self.table.lease(*key.lease, owner, now, now + LEASE_S))

    def attempt(self, key: Key) -> tuple[int, int]:
        """Count a try at it; return how many there were, and how many were put off."""
        row = self.table.add(*key.lease, attempts=1)
        return row["attempts"], row.get("put_off", 0)

    def put_off(self, key: Key) -> None:
        """Count that a try comes again later: it was none."""
        self.table.add(*key.lease, attempts=-1, put_off=1)

    def release(self, key: Key, owner: str) -> None:
        """Let somebody else try; the tries stay counted."""
        self.table.set(*key.lease, {"until": 0}, only_if={"owner": owner})

    def done(self, key: Key) -> None:
        """Forget the tries at it."""
        self.table.delete(*key.lease)

    def recall(self, key: str) -> Answer | None:
        """Return what was said of the same change."""
        from chalicelib.pulls.analysis import Analysis
        from chalicelib.pulls.analyst import Answer

        row = self.table.get(_CACHE, key)
        if row is None or row["ttl"] < self.clock():
            return None
        return Answer(
            Analysis.from_dict(loads(row["analysis"])),
            row["analyst"],
            row.get("model"),
            read=tuple(row["read"]),
        )

    def remember(self, key: str, answer: Answer) -> None:
        """Keep what was said of a change for a month."""
        self.table.put(
            {
                "pk": _CACHE,
                "sk": key,
                "analysis": dumps(answer.analysis.to_dict()),
                "analyst": answer.analyst,
                "model": answer.model,
                "read": list(answer.read),
                "ttl": int(self.clock()) + _CACHE_TTL,
            }
        )

    def count(self, **amounts: int) -> None:
        """Add to the counters."""
        told: dict[str, Any] = {n: amount for n, amount in amounts.items() if amount}
        if told:
            pk, sk = COUNTER_KEY
            self.table.add(pk, sk, **told)

    def counted(self) -> Mapping[str, int]:
        """Return made, cached, fallbacks, tokens_in, tokens_out, cost_microusd."""
        row = self.table.get(*COUNTER_KEY) or {}
        names = (
            *("made", "cached", "fallbacks"),
            *("tokens_in", "tokens_out", "cost_microusd"),
        )
        return {name: row.get(name, 0) for name in names}


def _kept(row: Item) -> Kept:
    from chalicelib.pulls.analysis import Analysis

    return Kept(
        loads(row["insight"]),
        Analysis.from_dict(loads(row["analysis"])),
        row["message"],
        row["attached"],
    )


def _age(insight: Insight) -> tuple[str, str]:
    # A ULID is the order in which they were made, also within one moment.
    return insight["created_at"], insight["id"]
