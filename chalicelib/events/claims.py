"""Claims: what makes a retried publish find its first call."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.table import Table

#: How long an idempotency key is remembered; an event's own id as long as the event.
KEY_SECONDS: Final = 86_400
#: The longest that a call may run: API Gateway's time-out, and so the function's.
CALL_SECONDS: Final = 30.0
#: After this long whoever took a claim without writing its commit is surely dead:
#: the function's time-out has passed.
ABANDONED_SECONDS: Final = 35.0


@dataclass(frozen=True, slots=True)
class Claim:
    """Says which commit a key stands for; `mine` when this call took it."""

    pk: str
    sk: str
    commit: str
    digest: str
    taken_at: float
    mine: bool


@dataclass(slots=True)
class Claims:
    """Claim items: each is taken once, by a conditional put."""

    table: Table
    retention_days: int
    clock: Callable[[], float] = time.time

    def take_key(self, owner: str, key: str, commit: str, digest: str) -> Claim:
        """Claim an `Idempotency-Key` of one caller for a commit."""
        return self._take(_partition(owner, key), "key", commit, digest, KEY_SECONDS)

    def has_key(self, owner: str, key: str) -> bool:
        """Tell whether an `Idempotency-Key` was claimed before."""
        return self.table.get(_partition(owner, key), "key") is not None

    def take_id(self, source: str, event_id: str, commit: str, digest: str) -> Claim:
        """Claim an event's own id, unique within its source, for a commit."""
        # A day more than the event, which is found through its claim.
        seconds = (self.retention_days + 1) * 86_400
        pk, sk = f"id#{event_id}", f"source#{source}"
        return self._take(pk, sk, commit, digest, seconds)

    def commits_of(self, event_id: str, source: str | None) -> list[str]:
        """Return the commits that claim this id, of one source or of any."""
        found = self.table.query(f"id#{event_id}", fields=("sk", "commit"))
        wanted = None if source is None else f"source#{source}"
        return [row["commit"] for row in found if wanted in (None, row["sk"])]

    def take_over(self, claim: Claim, commit: str, digest: str) -> bool:
        """Give an abandoned claim a new commit; only one caller can."""
        return self.table.set(
            claim.pk,
            claim.sk,
            {"commit": commit, "digest": digest, "at": self.clock()},
            only_if={"commit": claim.commit},
        )

    def is_abandoned(self, claim: Claim) -> bool:
        """Tell whether whoever took it can no longer be writing its commit."""
        return self.clock() - claim.taken_at > ABANDONED_SECONDS

    def _take(self, pk: str, sk: str, commit: str, digest: str, seconds: int) -> Claim:
        now = self.clock()
        item = {
            "pk": pk,
            "sk": sk,
            "commit": commit,
            "digest": digest,
            "at": now,
            "ttl": int(now) + seconds,
        }
        if self.table.put_new(item):
            return Claim(pk, sk, commit, digest, now, mine=True)
        row = self.table.get(pk, sk)
        if row is None:  # it expired between the two calls
            return self._take(pk, sk, commit, digest, seconds)
        return Claim(pk, sk, row["commit"], row["digest"], row["at"], mine=False)


def _partition(owner: str, key: str) -> str:
    name = hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()
    return f"claim#{name}"
