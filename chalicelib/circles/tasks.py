"""The verbs of tasks and conflicts; each change is one transaction with its event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.circles.once import Attempt
from chalicelib.circles.service import CircleService
from chalicelib.circles.store import CircleItems, ended_at, place_of
from chalicelib.circles.tell import CONFLICT_RESOLVED, TASK_UPDATED, Teller, paged
from chalicelib.table import Write
from eventyard.core import moments
from eventyard.core.errors import ConflictError
from eventyard.core.wire import dumps
from eventyard.orchestration import circles as rules
from eventyard.orchestration import news
from eventyard.orchestration import tasks as steps
from eventyard.orchestration.model import (
    ENDED,
    AgentId,
    Circle,
    CircleStatus,
    Conflict,
    Task,
)

#: A task of a stopped circle waits for it, instead of being refused.
KEEP: Final = "keep"


@dataclass(frozen=True, slots=True)
class WantedTasks:
    """
    Which tasks a list is of; `over`: those that have ended, or that have not.

    `lately`: those that ended last come first, not the most urgent.
    """

    status: str | None = None
    over: bool | None = None
    lately: bool = False

    def fits(self, status: str) -> bool:
        """Tell whether one of a status is one of them."""
        return self.status in (None, status) and self.over in (None, status in ENDED)

    @property
    def part(self) -> bool | None:
        """Return which of the two lists has them all; None: neither."""
        return self.over if self.status is None else self.status in ENDED


@dataclass(slots=True)
class TaskService:
    """What agents do with tasks, and with what is in their way."""

    circles: CircleService
    items: CircleItems
    teller: Teller

    def create(self, circle_id: int, attempt: Attempt) -> tuple[Task, bool]:
        """
        Make a task; return it, and whether it was there by an earlier try.

        Raises InvalidRequestError, NotFoundError, and ConflictError when its circle
        does not run, unless the wish says `when_stopped: keep`.
        """
        steps.new_task(0, circle_id, attempt.wish, self._now())
        circle = self.circles.get(circle_id)
        return self.circles.patiently(lambda: self._create(circle, attempt))

    def _create(self, circle: Circle, attempt: Attempt) -> tuple[Task, bool] | None:
        once = self.circles.once
        known = once.made(attempt)
        if known is not None:
            return self.get(known), True
        _check_runs(circle, attempt.wish)
        ours = {"project_id": circle.project_id}
        wish = {**attempt.wish, **({} if "project_id" in attempt.wish else ours)}
        made = steps.new_task(self.items.number("task"), circle.id, wish, self._now())
        failed = self.items.table.write_all(
            [
                *once.claim(attempt, made.id),
                *self.items.put_task(made, None, None),
                *self.teller.told(news.of_new_task(made)),
            ]
        )
        return None if failed else (made, False)

    def get(self, task_id: int, circle_id: int | None = None) -> Task:
        """Return a task, of a circle if that is told; raises NotFoundError."""
        found = self.items.task(task_id)
        if found is None or circle_id not in (None, found.kept.circle_id):
            raise rules.missing("task", task_id)
        return found.kept

    def page(
        self, circle_id: int, wanted: WantedTasks, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return tasks in the order that is wanted, and where they go on."""
        self.circles.get(circle_id)
        return paged(self._listed(circle_id, wanted, cursor, limit), limit)

    def _listed(
        self, circle_id: int, wanted: WantedTasks, cursor: str | None, limit: int
    ) -> Iterator[tuple[str, str]]:
        lines, place = self.items.lines(circle_id, cursor, over=wanted.part), place_of
        if wanted.lately:
            lines, place = self.items.ended(circle_id, cursor), ended_at
        fitting = (int(one["task"]) for one in lines if wanted.fits(one["status"]))
        # One more than is shown tells whether there are more.
        ids = [one for _, one in zip(range(limit + 1), fitting, strict=False)]
        for task in self.items.tasks(ids):
            yield place(task), dumps(task.shown())

    def move(
        self, task_id: int, wish: Mapping[str, Any], circle_id: int | None = None
    ) -> Task:
        """Say how a task is by now; raises ConflictError for what cannot follow."""
        return self._move(
            task_id,
            circle_id,
            lambda task: steps.moved(task, **wish, at=self._now()),
        )

    def claim(
        self, task_id: int, agent_id: AgentId, circle_id: int | None = None
    ) -> Task:
        """Make a pending task an agent's; of several who try at once one has it."""
        return self._move(
            task_id,
            circle_id,
            lambda task: steps.claimed(task, agent_id, self._now()),
        )

    def submit(
        self, task_id: int, wish: Mapping[str, Any], circle_id: int | None = None
    ) -> Task:
        """Hand a task in; raises ConflictError when it is another agent's."""
        said = {"agent_id": None, **wish}
        return self._move(
            task_id,
            circle_id,
            lambda task: steps.submitted(task, **said, at=self._now()),
        )

    def review(
        self, task_id: int, wish: Mapping[str, Any], circle_id: int | None = None
    ) -> Task:
        """Say what a reviewer thinks; raises ConflictError for one's own work."""
        return self._move(
            task_id,
            circle_id,
            lambda task: steps.reviewed(task, **wish, at=self._now()),
        )

    def _move(
        self,
        task_id: int,
        circle_id: int | None,
        act: Callable[[Task], steps.Moved],
    ) -> Task:
        def attempt() -> Task | None:
            row = self.items.task(task_id)
            if row is None or circle_id not in (None, row.kept.circle_id):
                raise rules.missing("task", task_id)
            done = act(row.kept)
            if done.task == row.kept:
                return done.task
            told = news.of_task(done.told or TASK_UPDATED, done.task)
            writes = [
                *self.items.put_task(done.task, row.kept, row.version),
                *self.teller.told(told),
            ]
            return None if self.items.table.write_all(writes) else done.task

        return self.circles.patiently(attempt)

    # Conflicts.

    def report(self, circle_id: int, wish: Mapping[str, Any]) -> tuple[Conflict, bool]:
        """
        Report a conflict; return it, and whether it was known: one that is open is.

        Raises InvalidRequestError, NotFoundError, ConflictError.
        """
        rules.check_active(self.circles.get(circle_id))
        made = rules.new_conflict(0, circle_id, wish, self._now())
        same = rules.same_conflict(made)

        def attempt() -> tuple[Conflict, bool] | None:
            known = self.items.open_conflict(circle_id, same)
            row = known and self.items.conflict(circle_id, known)
            if row:
                return row.kept, True
            number = self.items.number("conflict")
            new = rules.new_conflict(number, circle_id, wish, self._now())
            failed = self.items.table.write_all(
                [
                    self.items.take_dispute(new, same),
                    self.items.put_conflict(new, None),
                    *self.teller.told(news.of_conflict(new)),
                ]
            )
            return None if failed else (new, False)

        return self.circles.patiently(attempt)

    def conflicts(
        self, circle_id: int, status: str | None, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return conflicts, the newest first, and where they go on."""
        self.circles.get(circle_id)
        found = (
            (place, dumps(one.shown()))
            for place, one in self.items.conflicts(circle_id, cursor)
            if status in (None, one.status)
        )
        return paged(found, limit)

    def resolve(
        self, circle_id: int, conflict_id: int, wish: Mapping[str, Any]
    ) -> Conflict:
        """End a conflict; raises NotFoundError, and ConflictError for one that ended."""

        def attempt() -> Conflict | None:
            row = self.items.conflict(circle_id, conflict_id)
            if row is None:
                raise rules.missing("conflict", conflict_id)
            after = rules.resolved(
                row.kept, wish["resolution"], wish.get("resolved_by"), self._now()
            )
            writes: list[Write] = [
                self.items.put_conflict(after, row.version),
                self.items.free_dispute(after, rules.same_conflict(after)),
                *self.teller.told(news.of_conflict(after, CONFLICT_RESOLVED)),
            ]
            return None if self.items.table.write_all(writes) else after

        return self.circles.patiently(attempt)

    def _now(self) -> str:
        return moments.at(round(self.circles.clock(), 3))


def _check_runs(circle: Circle, wish: Mapping[str, Any]) -> None:
    rules.check_active(circle)
    if wish.get("when_stopped") != KEEP and circle.status != CircleStatus.RUNNING:
        raise ConflictError(
            f"Circle {circle.name} is {circle.status}: start it, or say "
            "`when_stopped: keep`.",
            code="circle_not_running",
            details={"circle_id": circle.id, "status": circle.status},
        )
