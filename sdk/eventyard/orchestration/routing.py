"""Who is to do a task: a score for each candidate, and the best of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eventyard.orchestration.model import AgentId, same_agent
from eventyard.orchestration.paths import normal_path

#: Tasks at once with which an agent has no time left.
_FULL: Final = 5
_STRENGTH: Final = 0.8
_WEIGHTS: Final = (0.5, 0.3, 0.2)
_MEDIUM: Final = 5
#: How much each step of urgency adds, and where urgency begins.
_URGENCY: Final = 0.05
_LEAST_URGENT: Final = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who might do a task."""

    agent_id: AgentId
    competencies: AbstractSet[str] = frozenset()
    #: How well it does what it can do, 0 to 1: one figure, or one per competency.
    strength: float | Mapping[str, float] = _STRENGTH
    #: How many tasks it has.
    workload: int = 0
    #: The share of its work that reviewers approved, 0 to 1.
    approval_rate: float = 1.0
    can_review: bool = False


def score(
    candidate: Candidate, required: Iterable[str], priority: int = _MEDIUM
) -> float:
    """
    Tell how well a candidate fits; `priority` is 1 (most urgent) to 10.

    The share of the competencies that it has, times its strength in them, counts half;
    its time three tenths; what reviewers thought of its work two tenths. Urgency lifts
    all alike.
    """
    wanted = frozenset(required)
    shared = wanted & candidate.competencies
    match = len(shared) / len(wanted) if wanted else 1.0
    fit, time, approval = _WEIGHTS
    return (
        match * _strength(candidate, shared) * fit
        + availability(candidate.workload) * time
        + candidate.approval_rate * approval
    ) * (1 + (_LEAST_URGENT - priority) * _URGENCY)


def availability(workload: int) -> float:
    """Tell how much time an agent with so many tasks has, 0 to 1."""
    return max(0.0, 1 - workload / _FULL)


def _strength(candidate: Candidate, shared: AbstractSet[str]) -> float:
    if not isinstance(candidate.strength, Mapping):
        return candidate.strength
    each = [candidate.strength.get(one, _STRENGTH) for one in shared]
    return sum(each) / len(each) if each else _STRENGTH


def route(
    candidates: Iterable[Candidate],
    required: Iterable[str],
    priority: int = _MEDIUM,
    *,
    without: Iterable[AgentId] = (),
) -> Candidate | None:
    """
    Return who fits best, of those who have at least one of the competencies.

    Where none is required everybody is a candidate. Of equals the first counts; None
    where nobody can.
    """
    wanted = frozenset(required)
    barred = tuple(without)
    able = [
        one
        for one in candidates
        if (not wanted or wanted & one.competencies)
        and not any(same_agent(one.agent_id, other) for other in barred)
    ]
    return max(able, key=lambda one: score(one, wanted, priority), default=None)


@dataclass(slots=True)
class Facilitator:
    """
    Routes tasks and reviews among agents, and sees who touches whose files.

    It counts what it gives out: `release` takes back what has ended.
    """

    _load: dict[str, int] = field(default_factory=dict)
    _files: dict[str, AgentId] = field(default_factory=dict)

    def route_task(
        self,
        candidates: Iterable[Candidate],
        required_competencies: Iterable[str] = (),
        priority: int = _MEDIUM,
    ) -> AgentId | None:
        """Return who is to do a task, which counts from now on; None: nobody can."""
        found = route(map(self._loaded, candidates), required_competencies, priority)
        if found is None:
            return None
        self.take(found.agent_id)
        return found.agent_id

    def route_review(
        self,
        candidates: Iterable[Candidate],
        author_id: AgentId | None,
        required_competencies: Iterable[str] = (),
    ) -> AgentId | None:
        """Return who is to review; never the author, and nobody who may not."""
        able = [self._loaded(one) for one in candidates if one.can_review]
        barred = () if author_id is None else (author_id,)
        found = route(able, required_competencies, without=barred) or route(
            able, (), without=barred
        )
        return None if found is None else found.agent_id

    def take(self, agent_id: AgentId) -> None:
        """Count one more task of an agent."""
        self._load[str(agent_id)] = self.workload(agent_id) + 1

    def release(self, agent_id: AgentId) -> None:
        """Count one task less."""
        self._load[str(agent_id)] = max(self.workload(agent_id) - 1, 0)

    def workload(self, agent_id: AgentId) -> int:
        """Return how many tasks an agent has."""
        return self._load.get(str(agent_id), 0)

    def register_file_access(self, agent_id: AgentId, path: str) -> AgentId | None:
        """Note who works on a file; return another agent who does already."""
        holder = self._files.setdefault(normal_path(path), agent_id)
        return None if same_agent(holder, agent_id) else holder

    def release_files(self, agent_id: AgentId) -> None:
        """Forget what an agent worked on."""
        held = [p for p, one in self._files.items() if same_agent(one, agent_id)]
        for path in held:
            del self._files[path]

    def _loaded(self, one: Candidate) -> Candidate:
        return replace(one, workload=one.workload + self.workload(one.agent_id))


def candidate_of(
    member: Mapping[str, Any], *, workload: int = 0, approval_rate: float = 1.0
) -> Candidate:
    """Return a member, as stores tell of one, as a candidate."""
    return Candidate(
        member["agent_id"],
        frozenset(member["competencies"]),
        workload=workload,
        approval_rate=approval_rate,
        can_review=bool(member["can_review"]) or member["role"] == "reviewer",
    )
