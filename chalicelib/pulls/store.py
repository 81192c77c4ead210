"""Keys and items of pull requests, their commits, branches and repositories."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.pulls.facts import Check, Moment, Push, Repository, Stamp
from chalicelib.pulls.state import PullState
from chalicelib.table import Table
from eventyard.core.wire import dumps, loads

#: Checks and pushes outlive the pull requests that wait for them.
_KEPT_SECONDS: Final = 180 * 86_400
#: An item has 400 KB; whoever changes more files sees the first of them.
_MOST_FILES: Final = 1_000
_REPOSITORIES: Final = "repositories"
_HISTORY: Final = "history#"
_LAST: Final = "\U0010ffff"
#: Lists by state: what waits to be merged, and what does not any more.
STATES: Final = ("open", "done")


@dataclass(frozen=True, slots=True)
class Row:
    """A pull request as it is stored."""

    state: PullState
    #: Moves with each write; None: it is not there yet.
    version: int | None = None
    #: Moves with each change that is shown.
    revision: int = 0
    #: Where its last change is in the log.
    place: str = ""
    #: Where it is in the lists: partition and sort key.
    listed: tuple[str, str] | None = None


@dataclass(slots=True)
class PullStore:
    """What is kept of pull requests, and where."""

    table: Table
    clock: Callable[[], float] = time.time

    def read(self, repository: str, number: int) -> Row:
        """Read a pull request; one that is not there has no version."""
        item = self.table.get(f"pull#{repository}", _sort(number))
        if item is None:
            return Row(PullState(repository, number))
        state = PullState.from_text(repository, number, item["facts"])
        listed = item.get("listed")
        return Row(
            state,
            int(item["version"]),
            int(item["revision"]),
            item.get("place", ""),
            tuple(listed) if listed else None,
        )

    def write(self, old: Row, new: Row, beside: Iterable[Item]) -> bool:
        """
        Write a pull request in the place of the one that was read, with more items.

        False, and nothing is written, when somebody else did meanwhile.
        """
        state = new.state
        item = {
            "pk": f"pull#{state.repository}",
            "sk": _sort(state.number),
            "version": (old.version or 0) + 1,
            "revision": new.revision,
            "place": new.place,
            "listed": list(new.listed) if new.listed else None,
            "facts": state.to_text(),
        }
        moved = old.listed is not None and old.listed != new.listed
        gone = [old.listed] if moved and old.listed else []
        links = [*self._links(old.state, state), *beside]
        return self.table.advance(item, old.version, *links, gone=gone)

    def _links(self, old: PullState, new: PullState) -> Iterator[Item]:
        name, ttl = new.repository, int(self.clock()) + _KEPT_SECONDS
        number = {"sk": f"pull#{_sort(new.number)}", "number": new.number}
        if new.sha and new.sha != old.sha:
            yield {"pk": _commit(name, new.sha), "ttl": ttl, **number}
        branch = branch_of(new)
        if branch and branch != branch_of(old):
            yield {"pk": _branch(name, branch), "ttl": ttl, **number}
        if new.is_told and (not old.is_told or new.is_open != old.is_open):
            key = {"pk": f"numbers#{name}", "sk": _sort(new.number)}
            yield {**key, "open": new.is_open}

    def listing(self, state: PullState, shown: Mapping[str, Any]) -> Item:
        """Return the item by which lists show a pull request."""
        kind = STATES[0] if state.is_open else STATES[1]
        name = f"{state.repository}#{state.number}"
        sk = f"{shown['updated_at']}#{name}"
        return {"pk": f"pulls#{kind}", "sk": sk, "shown": dumps(shown)}

    def listed(self, states: Iterable[str], before: str | None) -> Iterator[Item]:
        """Yield what lists show, last updated first, behind a cursor; page by page."""
        parts = [
            self.table.query(f"pulls#{state}", until=before, newest_first=True)
            for state in states
        ]
        found = merge(*parts, key=itemgetter("sk"), reverse=True)
        return (item for item in found if item["sk"] != before)

    def numbers(self, repository: str) -> tuple[list[int], int]:
        """Return the open numbers of a repository, and how many there ever were."""
        rows = list(self.table.query(f"numbers#{repository}"))
        return [int(row["sk"]) for row in rows if row["open"]], len(rows)

    def put_check(self, check: Check) -> bool:
        """Keep a check unless a newer one of its key is known."""
        fields = {
            "kind": check.kind,
            "name": check.name,
            "state": check.state,
            "conclusion": check.conclusion,
            "url": check.url,
            "started_at": check.started_at,
            "completed_at": check.completed_at,
        }
        key = {"pk": _commit(check.repository, check.sha), "sk": f"check#{check.key}"}
        return self.table.put_newer({**key, **fields, **self._stamped(check.stamp)})

    def put_push(self, push: Push) -> None:
        """Keep what came to a branch."""
        key = {"sk": f"push#{push.at}#{push.sha}", "ttl": self._ttl()}
        fields = {"first": push.first_commit_at, "created": push.created}
        self.table.put({"pk": _branch(push.repository, push.branch), **key, **fields})

    def put_repository(self, repository: Repository) -> bool:
        """Keep what was told of a repository unless something newer is known."""
        stamp = sortable(repository.stamp)
        key = {"pk": _REPOSITORIES, "sk": repository.full_name, "stamp": stamp}
        return self.table.put_newer({**key, **repository.fields})

    def at_commit(self, repository: str, sha: str) -> tuple[list[Item], list[int]]:
        """Return the checks of a commit, and the pull requests that it heads."""
        return _parted(self.table.query(_commit(repository, sha)))

    def at_branch(self, repository: str, branch: str) -> tuple[list[Item], list[int]]:
        """Return what came to a branch, oldest first, and its pull requests."""
        return _parted(self.table.query(_branch(repository, branch)))

    def repositories(self) -> list[Item]:
        """Return all repositories, by name."""
        return list(self.table.query(_REPOSITORIES))

    def repository(self, full_name: str) -> Item | None:
        """Return one repository."""
        return self.table.get(_REPOSITORIES, full_name)

    def history(
        self, repository: str, number: int, cursor: str | None, limit: int
    ) -> list[Item]:
        """Return lines of the timeline, the newest first, behind a cursor."""
        found = self.table.query(
            _own(repository, number),
            after=_HISTORY,
            until=f"{_HISTORY}{cursor or _LAST}",
            newest_first=True,
            limit=limit + 1,
        )
        return [item for item in found if item["sk"] != f"{_HISTORY}{cursor}"][:limit]

    def lines(self, state: PullState, told: Iterable[Moment]) -> list[Item]:
        """Return the items of lines of the timeline."""
        return [_line(_own(state.repository, state.number), one) for one in told]

    def put_lines(self, lines: Iterable[Item]) -> None:
        """Write lines of the timeline; the same ones again change nothing."""
        self.table.put_many(lines)

    def put_files(
        self, repository: str, number: int, sha: str, files: list[dict[str, Any]]
    ) -> None:
        """Keep which files a commit of a pull request changes."""
        text = dumps(files[:_MOST_FILES])
        key = {"pk": _own(repository, number), "sk": "files"}
        self.table.put({**key, "sha": sha, "files": text})

    def files(
        self, repository: str, number: int, sha: str | None
    ) -> list[dict[str, Any]] | None:
        """Return which files a commit changes, if that is known."""
        item = self.table.get(_own(repository, number), "files")
        if item is None or item["sha"] != sha:
            return None
        found: list[dict[str, Any]] = loads(item["files"])
        return found

    def _ttl(self) -> int:
        return int(self.clock()) + _KEPT_SECONDS

    def _stamped(self, stamp: Stamp) -> Item:
        return {"stamp": sortable(stamp), "ttl": self._ttl()}


def branch_of(state: PullState) -> str | None:
    """Return the branch whose pushes are told; those of forks are not."""
    core = state.core[1]
    return None if core.get("fork") else core.get("branch")


def pull_in(item: Item) -> dict[str, Any]:
    """Return the pull request that an item of a list shows."""
    shown: dict[str, Any] = loads(item["shown"])
    return shown


def _line(pk: str, one: Moment) -> Item:
    told = [one.at, one.kind, one.actor, one.text, one.sha]
    name = hashlib.sha256(dumps(told).encode()).hexdigest()[:12]
    fields = {name: getattr(one, name) for name in Moment.__slots__}
    return {"pk": pk, "sk": f"{_HISTORY}{one.at}#{one.kind}#{name}", **fields}


def _parted(items: Iterable[Item]) -> tuple[list[Item], list[int]]:
    things: list[Item] = []
    numbers: list[int] = []
    for item in items:
        if item["sk"].startswith("pull#"):
            numbers.append(int(item["number"]))
        else:
            things.append(item)
    return things, numbers


def _own(repository: str, number: int) -> str:
    return f"pull#{repository}#{number}"


def _commit(repository: str, sha: str) -> str:
    return f"commit#{repository}#{sha}"


def _branch(repository: str, branch: str) -> str:
    return f"branch#{repository}#{branch}"


def _sort(number: int) -> str:
    return f"{number:010d}"


def sortable(stamp: Stamp) -> str:
    """Write a stamp as a text that sorts as the stamp does, without a moment first."""
    moment, rank, digest = stamp
    return f"{moment}!{rank:03d}!{digest}"
