"""Circles, members and tasks as items: their keys, and how they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from chalicelib.aws import Item
from chalicelib.table import Put, Remove, Table, Write
from eventyard.core.wire import dumps, loads
from eventyard.orchestration.model import (
    URGENCY,
    AgentId,
    Circle,
    Conflict,
    Member,
    Task,
    TaskPriority,
)

CIRCLES: Final = "circles"
_NAMES: Final = "circles#names"
_NUMBERS: Final = "circles#numbers"
_MEMBER: Final = "member#"
#: Behind every key that begins so.
_LAST: Final = "\U0010ffff"
#: A page has so many bytes of what is kept; an answer has 6 MB.
PAGE_BYTES: Final = 3_000_000
#: Read at once: so many tasks fit one answer of the table whatever is in them.
_TOGETHER: Final = 50
Kept = TypeVar("Kept", Circle, Task, Conflict)


@dataclass(frozen=True, slots=True)
class Row(Generic[Kept]):
    """What is kept, and the version that it was read in."""

    kept: Kept
    version: int


@dataclass(frozen=True, slots=True)
class CircleItems:
    """
    Keeps circles and what belongs to them.

    Every change is a list of writes for one transaction; nobody writes but by these.
    """

    table: Table

    def number(self, kind: str) -> int:
        """Return the next number of a kind; one that is not used is left out."""
        return int(self.table.add(_NUMBERS, kind, n=1)["n"])

    # Circles.

    def circle(self, circle_id: int) -> Row[Circle] | None:
        """Read a circle."""
        item = self.table.get(CIRCLES, padded(circle_id))
        return None if item is None else _row(Circle, item)

    def named(self, name: str) -> int | None:
        """Return the id of the circle of a name."""
        item = self.table.get(_NAMES, name)
        return None if item is None else int(item["circle"])

    def circles(self, before: str | None) -> Iterator[tuple[str, Circle]]:
        """Yield circles with their cursors, the newest first, behind a cursor."""
        for item in self.table.query(CIRCLES, until=before, newest_first=True):
            if item["sk"] != before:
                yield item["sk"], _row(Circle, item).kept

    def put_circle(self, circle: Circle, version: int | None) -> Put:
        """Write a circle in the place of the one that was read; None: a new one."""
        key = {"pk": CIRCLES, "sk": padded(circle.id)}
        return _put(key, circle, version)

    def take_name(self, circle: Circle) -> Put:
        """Let nobody else have a circle's name."""
        item = {"pk": _NAMES, "sk": circle.name, "circle": circle.id}
        return Put(item, fresh=True)

    def free_name(self, circle: Circle) -> Remove:
        """Let others have it."""
        return Remove((_NAMES, circle.name), only_if={"circle": circle.id})

    # Members.

    def member(self, circle_id: int, agent_id: AgentId) -> Member | None:
        """Read a member."""
        item = self.table.get(*member_key(circle_id, agent_id))
        return None if item is None else Member.read(loads(item["text"]))

    def with_member(
        self, circle_id: int, agent_id: AgentId
    ) -> tuple[Row[Circle] | None, Member | None]:
        """Read a circle and one of its members at once."""
        keys = ((CIRCLES, padded(circle_id)), member_key(circle_id, agent_id))
        found = self.table.get_many(keys)
        circle, member = found.get(keys[0]), found.get(keys[1])
        return (
            None if circle is None else _row(Circle, circle),
            None if member is None else Member.read(loads(member["text"])),
        )

    def members(self, circle_id: int) -> list[Member]:
        """Return all who are or were members, in the order in which they came."""
        found = self.table.query(
            circle_part(circle_id), after=_MEMBER, until=_MEMBER + _LAST
        )
        every = [Member.read(loads(item["text"])) for item in found]
        return sorted(every, key=lambda one: (one.joined_at, one.id))

    def put_member(self, member: Member, project_id: Any) -> list[Write]:
        """Write a member, and what leads from an agent to its circles."""
        pk, sk = member_key(member.circle_id, member.agent_id)
        item = Put({"pk": pk, "sk": sk, "text": dumps(member.shown())})
        at = agent_key(member.agent_id, member.circle_id)
        if not member.is_active:
            return [item, Remove(at)]
        link = {"pk": at[0], "sk": at[1], "project": dumps(project_id)}
        return [item, Put(link)]

    def unlink(self, member: Member) -> list[Write]:
        """Let nothing lead from an agent to a circle that is no more."""
        return [Remove(agent_key(member.agent_id, member.circle_id))]

    def circles_of(self, agent_id: AgentId) -> tuple[tuple[int, Any], ...]:
        """Return the circles that an agent is in, with their projects; one query."""
        found = self.table.query(agent_key(agent_id, 0)[0])
        return tuple((int(item["sk"]), loads(item["project"])) for item in found)

    # Tasks.

    def task(self, task_id: int) -> Row[Task] | None:
        """Read a task."""
        item = self.table.get(*task_key(task_id))
        return None if item is None else _row(Task, item)

    def put_task(
        self, task: Task, before: Task | None, version: int | None
    ) -> list[Write]:
        """Write a task, and its line in the list of its circle."""
        key = dict(zip(("pk", "sk"), task_key(task.id), strict=True))
        agent = task.assigned_agent_id
        line = {
            **_line_key(task),
            "status": str(task.status),
            "agent": None if agent is None else str(agent),
            "begun": task.started_at,
            "ended": task.completed_at,
        }
        writes: list[Write] = [_put(key, task, version), Put(line)]
        if before is not None and before.is_over != task.is_over:
            old = _line_key(before)
            writes.append(Remove((old["pk"], old["sk"])))
        if task.is_over:
            pk, sk = _ended_part(task.circle_id), ended_at(task)
            writes.append(
                Put({"pk": pk, "sk": sk, "task": task.id, "status": str(task.status)})
            )
        return writes

    def ended(self, circle_id: int, before: str | None = None) -> Iterator[Item]:
        """Yield lines of the tasks that have ended, the last one first."""
        found = self.table.query(
            _ended_part(circle_id), until=before, newest_first=True
        )
        yield from (item for item in found if item["sk"] != before)

    def lines(
        self, circle_id: int, before: str | None = None, *, over: bool | None = None
    ) -> Iterator[Item]:
        """
        Yield the lines of tasks, the most urgent first, and of these the oldest.

        `over`: of those alone that have ended, or have not; None: of all.
        """
        parts = [
            self.table.query(_list_part(circle_id, over=one), after=before)
            for one in ((False, True) if over is None else (over,))
        ]
        return merge(*parts, key=itemgetter("sk"))

    def tasks(self, ids: Iterable[int]) -> Iterator[Task]:
        """Yield tasks in the order of their ids here, a few at a time."""
        wanted = list(ids)
        for start in range(0, len(wanted), _TOGETHER):
            keys = [task_key(one) for one in wanted[start : start + _TOGETHER]]
            found = self.table.get_many(keys)
            yield from (_row(Task, found[key]).kept for key in keys if key in found)

    # Conflicts.

    def conflict(self, circle_id: int, conflict_id: int) -> Row[Conflict] | None:
        """Read a conflict."""
        item = self.table.get(_conflict_part(circle_id), padded(conflict_id))
        return None if item is None else _row(Conflict, item)

    def conflicts(
        self, circle_id: int, before: str | None
    ) -> Iterator[tuple[str, Conflict]]:
        """Yield conflicts with their cursors, the newest first."""
        found = self.table.query(
            _conflict_part(circle_id), until=before, newest_first=True
        )
        for item in found:
            if item["sk"] != before:
                yield item["sk"], _row(Conflict, item).kept

    def put_conflict(self, conflict: Conflict, version: int | None) -> Put:
        """Write a conflict."""
        pk = _conflict_part(conflict.circle_id)
        return _put({"pk": pk, "sk": padded(conflict.id)}, conflict, version)

    def open_conflict(self, circle_id: int, same: Iterable[str]) -> int | None:
        """Return the conflict about the same that is open."""
        item = self.table.get(*_dispute_key(circle_id, same))
        return None if item is None else int(item["conflict"])

    def take_dispute(self, conflict: Conflict, same: Iterable[str]) -> Put:
        """Let there be no second conflict about the same."""
        pk, sk = _dispute_key(conflict.circle_id, same)
        return Put({"pk": pk, "sk": sk, "conflict": conflict.id}, fresh=True)

    def free_dispute(self, conflict: Conflict, same: Iterable[str]) -> Remove:
        """Let there be another one."""
        return Remove(_dispute_key(conflict.circle_id, same))


def _row(kind: type[Kept], item: Item) -> Row[Kept]:
    return Row(kind.read(loads(item["text"])), int(item["version"]))


def _put(key: Item, kept: Circle | Task | Conflict, version: int | None) -> Put:
    item = {**key, "text": dumps(kept.shown()), "version": (version or 0) + 1}
    if version is None:
        return Put(item, fresh=True)
    return Put(item, only_if={"version": version})


def padded(number: int) -> str:
    """Return a number so that its texts sort as numbers do."""
    return f"{number:012d}"


def circle_part(circle_id: int) -> str:
    """Return the partition of a circle's members."""
    return f"circle#{circle_id}"


def member_key(circle_id: int, agent_id: AgentId) -> tuple[str, str]:
    """Return where a member is."""
    return circle_part(circle_id), f"{_MEMBER}{agent_id}"


def agent_key(agent_id: AgentId, circle_id: int) -> tuple[str, str]:
    """Return what leads from an agent to a circle."""
    return f"circles#agent#{agent_id}", padded(circle_id)


def task_key(task_id: int) -> tuple[str, str]:
    """Return where a task is."""
    return f"circles#task#{task_id}", "task"


def place_of(task: Task) -> str:
    """Return where a task stands in lists: its cursor."""
    return f"{URGENCY[TaskPriority(task.priority)]}#{padded(task.id)}"


def ended_at(task: Task) -> str:
    """Return where a task that has ended stands among those: its cursor."""
    return f"{task.completed_at or task.updated_at}#{padded(task.id)}"


def _ended_part(circle_id: int) -> str:
    return f"circle#{circle_id}#lately"


def _line_key(task: Task) -> Item:
    pk = _list_part(task.circle_id, over=task.is_over)
    return {"pk": pk, "sk": place_of(task), "task": task.id}


def _list_part(circle_id: int, *, over: bool) -> str:
    return f"circle#{circle_id}#{'ended' if over else 'open'}"


def _conflict_part(circle_id: int) -> str:
    return f"circle#{circle_id}#conflicts"


def _dispute_key(circle_id: int, same: Iterable[str]) -> tuple[str, str]:
    return f"circle#{circle_id}#disputes", digest(*same)


def digest(*texts: str) -> str:
    """Return what stands for texts in a key."""
    text = "\n".join(texts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
