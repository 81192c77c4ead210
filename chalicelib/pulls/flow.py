"""How a pull request changes the event flow, where both of its sides were scanned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chalicelib.telemetry import log_error
from eventyard.core.errors import EventRouterError

if TYPE_CHECKING:
    from eventyard.core.graph.model import FlowModel

#: What a scan belongs to that names no project.
DEFAULT: Final = "default"
#: The ref of a scan that names none.
_NO_REF: Final = "main"
#: So many of each kind are told: it travels with every frame about the pull request.
_MOST: Final = 20
_LONGEST: Final = 160
#: A commit may be told by its beginning.
_SHORTEST: Final = 7

Difference = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scan:
    """One version of a graph that is kept."""

    project: str
    ref: str
    version: int
    commit: str | None
    load: Callable[[], FlowModel]

    def named(self) -> dict[str, Any]:
        """Return what it is called."""
        return {"ref": self.ref, "version": self.version, "commit": self.commit}

    def is_of(self, sha: str | None) -> bool:
        """Tell whether it was made of a commit."""
        commit = (self.commit or "").lower()
        return len(commit) >= _SHORTEST and bool(sha) and str(sha).startswith(commit)


@dataclass(frozen=True, slots=True)
class FlowFinder:
    """
    Finds the scans of both sides of a pull request, and compares them.

    A scan is of a side if it names its commit; else the newest one of the side's
    branch stands for it. A scan under no project's name must name the commit of the
    head, or it may be of any repository.
    """

    #: The newest version of every graph.
    heads: Callable[[], Iterable[Scan]]
    #: All versions of a project's ref, the newest first.
    history: Callable[[str, str], Iterable[Scan]]

    def find(
        self,
        repository: str,
        base_sha: str | None,
        base_branch: str | None,
        head_sha: str | None,
        branch_name: str | None,
    ) -> Difference | None:
        """Return the difference; None where one of the sides was not scanned."""
        known = list(self.heads())
        base, head = _Side(base_sha, base_branch), _Side(head_sha, branch_name)
        for project in (repository, repository.rpartition("/")[2], DEFAULT):
            heads = [scan for scan in known if scan.project == project]
            found = self._pair(heads, base, head) if heads else None
            if found is not None:
                return _compared(*found)
        return None

    def _pair(
        self, heads: list[Scan], base: _Side, head: _Side
    ) -> tuple[Scan, Scan] | None:
        refs = [ref for ref in (head.ref, base.ref, _NO_REF) if ref]
        after = self._by_commit(heads, head.sha, refs)
        if after is None and heads[0].project != DEFAULT and head.ref != base.ref:
            # A fork's branch may be called as ours: then it says nothing.
            after = _newest(heads, head.ref)
        if after is None:
            return None
        before = self._by_commit(heads, base.sha, refs) or _newest(heads, base.ref)
        # Where a scan named no ref, the newest of the base's may be the head's own.
        return None if before is None or before is after else (before, after)

    def _by_commit(
        self, heads: list[Scan], sha: str | None, refs: Iterable[str]
    ) -> Scan | None:
        found = next((scan for scan in heads if scan.is_of(sha)), None)
        there = {scan.ref for scan in heads}
        for ref in dict.fromkeys(refs):
            if found is None and sha and ref in there:
                versions = self.history(heads[0].project, ref)
                found = next((scan for scan in versions if scan.is_of(sha)), None)
        return found


@dataclass(frozen=True, slots=True)
class _Side:
    sha: str | None
    ref: str | None


def _newest(heads: Iterable[Scan], ref: str | None) -> Scan | None:
    return next((scan for scan in heads if scan.ref == ref), None)


def _compared(before: Scan, after: Scan) -> Difference | None:
    try:
        found = difference(before.load(), after.load())
    except EventRouterError as error:
        log_error("scans were not compared", error, project=after.project)
        return None
    named = {"base": before.named(), "head": after.named()}
    return {"project": after.project, **named, **found}


def difference(base: FlowModel, head: FlowModel) -> Difference:
    """
    Tell who publishes and who listens on one side alone, and what that leaves behind.

    Agents that are there to test others do not count. Raises InvalidRequestError for
    more patterns than can be tried.
    """
    before, after = _Ends.of(base, head), _Ends.of(head, base)
    told: Difference = {
        "publishers_added": _pairs(after.publishers, before.publishers),
        "publishers_removed": _pairs(before.publishers, after.publishers),
        "subscribers_added": _pairs(after.subscribers, before.subscribers),
        "subscribers_removed": _pairs(before.subscribers, after.subscribers),
        "orphans_made": _orphans(before, after),
        "lost_last_publisher": [_name(event) for event in _lost(before, after)][:_MOST],
    }
    return {**told, "empty": not any(told.values())}


@dataclass(frozen=True, slots=True)
class _Ends:
    """Who is at the ends of each event; only events with somebody are keys."""

    publishers: Mapping[str, frozenset[str]]
    subscribers: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, model: FlowModel, other: FlowModel) -> _Ends:
        from eventyard.core.graph.flow import resolved
        from eventyard.core.graph.model import FlowModel

        tests = {agent.id for agent in model.agents if agent.test}
        # With the events of the other side: who listens to `order.*` listens to
        # `order.paid`, also when nobody is left who publishes it.
        also = [event for event in other.events if not event.pattern]
        plain = resolved(
            FlowModel.of(
                [*model.events, *also],
                [agent for agent in model.agents if agent.id not in tests],
                [edge for edge in model.edges if edge.agent not in tests],
            )
        )
        return cls(_ends(plain.publishers()), _ends(plain.subscribers()))

    def orphans(self) -> set[tuple[str, str]]:
        """Return the events that have somebody at one end alone."""
        told, heard = self.publishers.keys(), self.subscribers.keys()
        unheard = {(event, "unheard") for event in told - heard}
        return unheard | {(event, "unpublished") for event in heard - told}


def _ends(found: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    return {event: frozenset(agents) for event, agents in found.items() if agents}


def _pairs(
    here: Mapping[str, frozenset[str]], there: Mapping[str, frozenset[str]]
) -> list[dict[str, str]]:
    new = (
        {"event": _name(event), "agent": _name(agent)}
        for event in sorted(here)
        for agent in sorted(here[event] - there.get(event, frozenset()))
    )
    return list(_first(new))


def _orphans(before: _Ends, after: _Ends) -> list[dict[str, str]]:
    made = sorted(after.orphans() - before.orphans())
    return list(_first({"event": _name(event), "kind": kind} for event, kind in made))


def _lost(before: _Ends, after: _Ends) -> list[str]:
    gone = before.publishers.keys() - after.publishers.keys()
    return sorted(gone & after.subscribers.keys())


def _first(found: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    for at, one in enumerate(found):
        if at == _MOST:
            return
        yield one


def _name(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
