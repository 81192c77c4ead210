"""The verbs of circles and their members; each change is one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeVar

from chalicelib.aws import Item
from chalicelib.circles.once import Attempt, Once
from chalicelib.circles.store import CircleItems, Row
from chalicelib.circles.tell import (
    CIRCLE_DELETED,
    CIRCLE_UPDATED,
    Teller,
    paged,
)
from chalicelib.table import Write, patiently
from eventyard.core import moments
from eventyard.core.errors import ConflictError
from eventyard.core.topics import check_topic
from eventyard.core.wire import dumps
from eventyard.events.types import EventType
from eventyard.orchestration import circles as rules
from eventyard.orchestration import news
from eventyard.orchestration.history import check_note
from eventyard.orchestration.model import (
    ENDED,
    AgentId,
    Circle,
    ConflictStatus,
    Member,
    TaskStatus,
    check_agent,
)

_BUSY: Final = "Too much changes this circle; try again."
_LONGEST_ID: Final = 12
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which circles a list is of."""

    is_active: bool | None = True
    status: str | None = None
    project_id: str | None = None

    def fits(self, circle: Circle) -> bool:
        """Tell whether a circle is one of them."""
        return (
            self.is_active in (None, circle.is_active)
            and self.status in (None, circle.status)
            and self.project_id in (None, str(circle.project_id))
        )


@dataclass(slots=True)
class CircleService:
    """What people and agents do with circles."""

    items: CircleItems
    teller: Teller
    once: Once
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def create(self, attempt: Attempt) -> tuple[Circle, bool]:
        """
        Make a circle; return it, and whether it was there by an earlier try.

        Raises InvalidRequestError, and ConflictError when its name is taken.
        """
        rules.new_circle(0, attempt.wish, self._now())
        return self.patiently(lambda: self._create(attempt))

    def _create(self, attempt: Attempt) -> tuple[Circle, bool] | None:
        known = self.once.made(attempt)
        if known is not None:
            return self.get(known), True
        number = self.items.number("circle")
        made = rules.new_circle(number, attempt.wish, self._now())
        claims = self.once.claim(attempt, made.id)
        failed = self.items.table.write_all(
            [
                *claims,
                self.items.take_name(made),
                self.items.put_circle(made, None),
                *self.teller.told(news.of_circle(EventType.CIRCLE_CREATED, made)),
            ]
        )
        if failed and failed[0] == len(claims):
            self._check_free(made.name)
        return None if failed else (made, False)

    def _check_free(self, name: str) -> None:
        held = self.items.named(name)
        if held is not None:
            raise ConflictError(
                f"There is a circle {name} already.",
                code="name_taken",
                details={"circle_id": held},
            )

    def find(self, id_or_name: str) -> Circle:
        """Return the circle of an id or a name; raises NotFoundError."""
        if id_or_name.isascii() and id_or_name.isdecimal():
            if len(id_or_name) > _LONGEST_ID:
                raise rules.missing("circle", id_or_name)
            return self.get(int(id_or_name))
        number = self.items.named(id_or_name)
        if number is None:
            raise rules.missing("circle", id_or_name)
        return self.get(number)

    def get(self, circle_id: int) -> Circle:
        """Return a circle, deleted ones as well; raises NotFoundError."""
        return self._row(circle_id).kept

    def _row(self, circle_id: int) -> Row[Circle]:
        found = self.items.circle(circle_id)
        if found is None:
            raise rules.missing("circle", circle_id)
        return found

    def page(
        self, wanted: Wanted, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return circles, the newest first, and where they go on."""
        found = (
            (place, dumps(circle.shown()))
            for place, circle in self.items.circles(cursor)
            if wanted.fits(circle)
        )
        return paged(found, limit)

    def change(self, circle_id: int, wish: Mapping[str, Any]) -> Circle:
        """Change what is named, also whether it runs; the same again changes nothing."""

        def act(row: Row[Circle]) -> tuple[Circle, list[Write]]:
            after = rules.changed(row.kept, wish, self._now())
            kind = news.kind_of_run(row.kept, after) or CIRCLE_UPDATED
            told = self.teller.told(news.of_circle(kind, after))
            return after, [] if after == row.kept else [*told]

        return self._changed(circle_id, act)

    def delete(self, circle_id: int) -> None:
        """
        Stop a circle for good; its name is free, and its members are in it no more.

        What was done in it can still be read. Raises ConflictError for a second time.
        """

        def act(row: Row[Circle]) -> tuple[Circle, list[Write]]:
            after = rules.deleted(row.kept, self._now())
            gone = [
                write
                for one in self.items.members(circle_id)
                if one.is_active
                for write in self.items.unlink(one)
            ]
            kind = news.kind_of_run(row.kept, after) or CIRCLE_DELETED
            told = self.teller.told(news.of_circle(kind, after))
            return after, [self.items.free_name(after), *gone, *told]

        self._changed(circle_id, act)

    def _changed(
        self,
        circle_id: int,
        act: Callable[[Row[Circle]], tuple[Circle, list[Write]]],
    ) -> Circle:
        def attempt() -> Circle | None:
            row = self._row(circle_id)
            after, writes = act(row)
            if not writes:
                return after
            put = self.items.put_circle(after, row.version)
            return None if self.items.table.write_all([put, *writes]) else after

        return self.patiently(attempt)

    # Members.

    def join(self, circle_id: int, wish: Mapping[str, Any]) -> tuple[Member, bool]:
        """
        Take an agent in, or say anew what it is; tell whether it was in already.

        Raises InvalidRequestError, NotFoundError, and ConflictError: it is full.
        """
        agent = check_agent(wish["agent_id"])

        def act() -> tuple[Member, bool] | None:
            row, before = self._with_member(circle_id, agent)
            rules.joined(row.kept, before, 0, wish, self._now())
            number = 0 if before else self.items.number("member")
            circle, member = rules.joined(row.kept, before, number, wish, self._now())
            done = self._write_member(
                row, circle, member, EventType.CIRCLE_MEMBER_ADDED
            )
            was = before is not None and before.is_active
            return (member, was) if done else None

        return self.patiently(act)

    def leave(self, circle_id: int, agent_id: AgentId) -> None:
        """Let an agent go; raises NotFoundError when it is not in the circle."""

        def act() -> bool | None:
            row, before = self._with_member(circle_id, agent_id)
            if before is None or not before.is_active:
                raise rules.missing("member", agent_id)
            rules.check_active(row.kept)
            circle, member = rules.left(row.kept, before, self._now())
            done = self._write_member(
                row, circle, member, EventType.CIRCLE_MEMBER_REMOVED
            )
            return done or None

        self.patiently(act)

    def _with_member(
        self, circle_id: int, agent_id: AgentId
    ) -> tuple[Row[Circle], Member | None]:
        row, member = self.items.with_member(circle_id, agent_id)
        if row is None:
            raise rules.missing("circle", circle_id)
        return row, member

    def _write_member(
        self, row: Row[Circle], circle: Circle, member: Member, kind: EventType
    ) -> bool:
        # The circle is written, too: it counts its members, and none comes into one
        # that is deleted at this moment.
        return not self.items.table.write_all(
            [
                self.items.put_circle(circle, row.version),
                *self.items.put_member(member, circle.project_id),
                *self.teller.told(news.of_member(kind, member, circle)),
            ]
        )

    def members(self, circle_id: int, is_active: bool | None) -> list[dict[str, Any]]:  # noqa: FBT001
        """Return members in the order in which they came; raises NotFoundError."""
        self.get(circle_id)
        return [
            one.shown()
            for one in self.items.members(circle_id)
            if is_active in (None, one.is_active)
        ]

    def circles_of(self, agent_id: AgentId) -> tuple[int, ...]:
        """Return the circles that an agent is in now; one query."""
        return tuple(circle for circle, _ in self.items.circles_of(agent_id))

    def projects_of(self, agent_id: AgentId) -> tuple[AgentId, ...]:
        """Return the projects of those circles, each once; one query."""
        found = (project for _, project in self.items.circles_of(agent_id))
        return tuple(dict.fromkeys(one for one in found if one is not None))

    # History and figures.

    def note(self, circle_id: int, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Write something into the history; nothing is published."""
        self.get(circle_id)
        place = self.teller.new_key()
        line = check_note(f"evt_{place}", circle_id, wish, self._now())
        self.items.table.put(self.teller.line(circle_id, place, line))
        return line

    def history(
        self, circle_id: int, kind: str | None, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return the history, the newest first, and where it goes on."""
        if kind is not None:
            check_topic(kind)
        self.get(circle_id)
        return self.teller.history(circle_id, kind, cursor, limit)

    def metrics(self, circle_id: int) -> dict[str, Any]:
        """Count what a circle did, and who does how much."""
        circle = self.get(circle_id)
        lines = list(self.items.lines(circle_id))
        by_status = Counter(line["status"] for line in lines)
        conflicts = (one for _, one in self.items.conflicts(circle_id, None))
        ended = sum(by_status[one.value] for one in ENDED)
        done = by_status[TaskStatus.COMPLETED.value]
        open_lines = [line for line in lines if line["status"] not in ENDED]
        return {
            "circle_id": circle_id,
            "status": circle.status,
            "members": circle.member_count,
            "tasks": {one.value: by_status[one.value] for one in TaskStatus},
            "total_tasks": len(lines),
            "completion_rate": round(done / ended, 4) if ended else None,
            "median_duration_s": _median(lines),
            "workload": dict(_workload(open_lines)),
            "open_conflicts": sum(
                one.status != ConflictStatus.RESOLVED for one in conflicts
            ),
        }

    def patiently(self, act: Callable[[], Done | None]) -> Done:
        """Do what others may hinder until it is done; None asks to begin again."""
        return patiently(act, self.sleep, _BUSY)

    def _now(self) -> str:
        return moments.at(round(self.clock(), 3))


def _workload(lines: list[Item]) -> Iterator[tuple[str, int]]:
    counted = Counter(line["agent"] for line in lines if line.get("agent"))
    yield from counted.most_common()


def _median(lines: list[Item]) -> float | None:
    took = [
        (moments.read(line["ended"]) - moments.read(line["begun"])).total_seconds()
        for line in lines
        if line.get("begun") and line.get("ended")
    ]
    return round(median(took), 3) if took else None
