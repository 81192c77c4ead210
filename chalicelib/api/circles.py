"""`/api/v1/circles`: teams of agents, their members, tasks, conflicts and history."""

from __future__ import annotations

from typing import Any, Final

from chalice.app import Response

from chalicelib.api import _circles as given
from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import CURSOR, Parameter, limit
from eventyard.core.errors import InvalidRequestError

routes = Routes(__name__)
READ: Final = "circles:read"
WRITE: Final = "circles:write"
_PATH: Final = "/api/v1/circles"
_ONE: Final = _PATH + "/{circle}"
_TASKS: Final = _ONE + "/tasks"
_TASK: Final = _TASKS + "/{task_id}"
#: A task is found without its circle, too.
_ALONE: Final = "/api/v1/tasks/{task_id}"
_LIMIT: Final = limit(50, highest=200)
_STATUS: Final = Parameter(
    "status",
    "Only those that are this.",
    choices=("stopped", "starting", "running", "stopping"),
)
_TASK_STATUS: Final = Parameter(
    "status", "Only those that are this.", choices=given.TASK_STATUSES
)
_STATE: Final = Parameter(
    "state", "Only those that go on, or that have ended.", choices=("open", "ended")
)
_CONFLICT_STATUS: Final = Parameter(
    "status",
    "Only those that are this.",
    choices=("open", "in_progress", "resolved", "escalated"),
)
_PROJECT: Final = Parameter("project_id", "Only those of this project.")
_ACTIVE: Final = Parameter(
    "is_active",
    "`false`: those that are gone, `any`: all.",
    default="true",
    choices=("true", "false", "any"),
)
_TYPE: Final = Parameter("event_type", "Only lines of this type.")
_AGENT: Final = Parameter("agent_id", "Who leaves.")
_ORDER: Final = Parameter(
    "order",
    "`ended`: those that have ended, the last one first.",
    default="urgency",
    choices=("urgency", "ended"),
)
_AGAIN: Final = "An earlier try with this key made it."
_MADE: Final = {"headers": (given.KEY,), "status": 201}
_CLASH: Final = {409: "It conflicts with the present state; the message says how."}


@routes.post(
    _PATH,
    scope=WRITE,
    body="circles.NewCircle",
    answer="circles.Circle",
    **_MADE,
    also={200: _AGAIN, 409: "Its name is taken, or its key stands for another one."},
)
def create_circle(call: Call) -> Response:
    """Make a circle; it is stopped until it is started."""
    from chalicelib.api.shapes.circles import NewCircle

    attempt = given.attempt(call, "circle", NewCircle)
    made, known = call.platform.circles.service.create(attempt)
    return answer_json(made.shown(), 200 if known else 201)


@routes.get(
    _PATH,
    scope=READ,
    query=(_STATUS, _PROJECT, _ACTIVE, _LIMIT, CURSOR),
    answer="circles.CirclePage",
)
def list_circles(call: Call) -> Any:
    """List circles, the newest first."""
    from chalicelib.circles.service import Wanted

    wanted = Wanted(
        given.flag(call.take(_ACTIVE)), call.take(_STATUS), call.take(_PROJECT)
    )
    live = call.platform.log.new_key()
    page, cursor = call.platform.circles.service.page(
        wanted, call.take(CURSOR), call.take(_LIMIT)
    )
    return {"circles": page, "cursor": cursor, "live": live}


@routes.get(_ONE, scope=READ, answer="circles.Circle")
def get_circle(call: Call, circle: str) -> Any:
    """Read a circle by its id or its name; a deleted one by its id."""
    return call.platform.circles.service.find(circle).shown()


@routes.patch(
    _ONE,
    scope=WRITE,
    body="circles.ChangedCircle",
    answer="circles.Circle",
    also=_CLASH,
)
def change_circle(call: Call, circle: str) -> Any:
    """Change what is named, also whether it runs."""
    from chalicelib.api.shapes.circles import ChangedCircle

    wish = call.body(ChangedCircle).model_dump(exclude_none=True)
    return _changed(call, circle, wish)


@routes.post(_ONE + "/start", scope=WRITE, answer="circles.Circle", also=_CLASH)
def start_circle(call: Call, circle: str) -> Any:
    """Let a circle work: it takes tasks."""
    return _changed(call, circle, {"status": "running"})


@routes.post(_ONE + "/stop", scope=WRITE, answer="circles.Circle", also=_CLASH)
def stop_circle(call: Call, circle: str) -> Any:
    """Let it take no more tasks; those that there are stay as they are."""
    return _changed(call, circle, {"status": "stopped"})


def _changed(call: Call, circle: str, wish: dict[str, Any]) -> Any:
    service = call.platform.circles.service
    return service.change(service.find(circle).id, wish).shown()


@routes.delete(_ONE, scope=WRITE, status=204, also=_CLASH)
def delete_circle(call: Call, circle: str) -> Response:
    """Stop a circle for good: its name is free; what was done in it can be read."""
    service = call.platform.circles.service
    service.delete(service.find(circle).id)
    return given.nothing()


@routes.get(_ONE + "/members", scope=READ, query=(_ACTIVE,), answer="circles.Members")
def list_members(call: Call, circle: str) -> Any:
    """List members in the order in which they came."""
    service = call.platform.circles.service
    active = given.flag(call.take(_ACTIVE))
    return {"members": service.members(service.find(circle).id, active)}


@routes.post(
    _ONE + "/members",
    scope=WRITE,
    body="circles.NewMember",
    answer="circles.Member",
    status=201,
    also={200: "It is in the circle already; it is this from now on.", **_CLASH},
)
def add_member(call: Call, circle: str) -> Response:
    """Take an agent in, or back, or say anew what it is in the circle."""
    from chalicelib.api.shapes.circles import NewMember

    wish = call.body(NewMember).model_dump(exclude_none=True)
    service = call.platform.circles.service
    member, known = service.join(service.find(circle).id, wish)
    return answer_json(member.shown(), 200 if known else 201)


@routes.delete(_ONE + "/members", scope=WRITE, query=(_AGENT,), status=204, also=_CLASH)
@routes.delete(_ONE + "/members/{agent_id}", scope=WRITE, status=204, also=_CLASH)
def remove_member(call: Call, circle: str, agent_id: str | None = None) -> Response:
    """
    Let an agent go, who may come back.

    One whose id has a slash is named by `agent_id`: not every server between here and
    there leaves the slash in an address as it was written.
    """
    named = call.take(_AGENT) if agent_id is None else agent_id
    if not named:
        raise InvalidRequestError(
            "agent_id is missing: who leaves?", details={"parameter": "agent_id"}
        )
    service = call.platform.circles.service
    service.leave(service.find(circle).id, named)
    return given.nothing()


@routes.get(
    "/api/v1/agents/{agent_id}/circles", scope=READ, answer="circles.AgentCircles"
)
def list_agent_circles(call: Call, agent_id: str) -> Any:
    """List the circles that an agent is in, and their projects."""
    service = call.platform.circles.service
    return {
        "circles": list(service.circles_of(agent_id)),
        "projects": list(service.projects_of(agent_id)),
    }


@routes.post(
    _TASKS,
    scope=WRITE,
    body="circles.NewTask",
    answer="circles.Task",
    **_MADE,
    also={200: _AGAIN, 409: "Its circle does not run, or its key stands for another."},
)
def create_task(call: Call, circle: str) -> Response:
    """Make a task in a circle that runs, or for one that will."""
    from chalicelib.api.shapes.circles import NewTask

    found = call.platform.circles.service.find(circle)
    attempt = given.attempt(call, f"task {found.id}", NewTask)
    made, known = call.platform.circles.tasks.create(found.id, attempt)
    return answer_json(made.shown(), 200 if known else 201)


@routes.get(
    _TASKS,
    scope=READ,
    query=(_TASK_STATUS, _STATE, _ORDER, _LIMIT, CURSOR),
    answer="circles.TaskPage",
)
def list_tasks(call: Call, circle: str) -> Any:
    """List tasks, the most urgent first, and of these the oldest; or as they ended."""
    found = call.platform.circles.service.find(circle)
    wanted = given.wanted(call.take(_TASK_STATUS), call.take(_STATE), call.take(_ORDER))
    page, cursor = call.platform.circles.tasks.page(
        found.id, wanted, call.take(CURSOR), call.take(_LIMIT)
    )
    return {"tasks": page, "cursor": cursor}


@routes.get(_TASK, scope=READ, answer="circles.Task")
@routes.get(_ALONE, scope=READ, answer="circles.Task")
def get_task(call: Call, task_id: str, circle: str | None = None) -> Any:
    """Read a task."""
    return call.platform.circles.tasks.get(*given.task(call, task_id, circle)).shown()


_MOVES: Final[dict[str, Any]] = {
    "scope": WRITE,
    "answer": "circles.Task",
    "also": {409: "That cannot follow; the message says what can."},
}


@routes.patch(_TASK, **_MOVES, body="circles.ChangedTask")
@routes.patch(_ALONE, **_MOVES, body="circles.ChangedTask")
def change_task(call: Call, task_id: str, circle: str | None = None) -> Any:
    """
    Say how a task is by now: its status, whose it is, and what came of it.

    One that goes back to pending is nobody's, unless somebody is named.
    """
    from chalicelib.api.shapes.circles import ChangedTask

    wish = call.body(ChangedTask).model_dump(exclude_none=True)
    number, of = given.task(call, task_id, circle)
    return call.platform.circles.tasks.move(number, wish, of).shown()


@routes.post(_TASK + "/claim", **_MOVES, body="circles.Claim")
@routes.post(_ALONE + "/claim", **_MOVES, body="circles.Claim")
def claim_task(call: Call, task_id: str, circle: str | None = None) -> Any:
    """Make a pending task an agent's: of several who try at once, one has it."""
    from chalicelib.api.shapes.circles import Claim

    agent = call.body(Claim).agent_id
    number, of = given.task(call, task_id, circle)
    return call.platform.circles.tasks.claim(number, agent, of).shown()


@routes.post(_TASK + "/submit", **_MOVES, body="circles.Submission")
@routes.post(_ALONE + "/submit", **_MOVES, body="circles.Submission")
def submit_task(call: Call, task_id: str, circle: str | None = None) -> Any:
    """Hand a task in: it is reviewed then, or completed where none is wanted."""
    from chalicelib.api.shapes.circles import Submission

    wish = call.body(Submission).model_dump(exclude_none=True)
    number, of = given.task(call, task_id, circle)
    return call.platform.circles.tasks.submit(number, wish, of).shown()


@routes.post(_TASK + "/approve", **_MOVES, body="circles.Approval")
@routes.post(_ALONE + "/approve", **_MOVES, body="circles.Approval")
def approve_task(call: Call, task_id: str, circle: str | None = None) -> Any:
    """Complete a task that is in review; nobody approves their own work."""
    from chalicelib.api.shapes.circles import Approval

    wish = {**call.body(Approval).model_dump(), "decision": "approved"}
    number, of = given.task(call, task_id, circle)
    return call.platform.circles.tasks.review(number, wish, of).shown()


@routes.post(_TASK + "/reject", **_MOVES, body="circles.Rejection")
@routes.post(_ALONE + "/reject", **_MOVES, body="circles.Rejection")
def reject_task(call: Call, task_id: str, circle: str | None = None) -> Any:
    """Let a task that is in review be done again, or block it."""
    from chalicelib.api.shapes.circles import Rejection

    wish = call.body(Rejection).model_dump()
    number, of = given.task(call, task_id, circle)
    return call.platform.circles.tasks.review(number, wish, of).shown()


@routes.post(
    _ONE + "/conflicts",
    scope=WRITE,
    body="circles.NewConflict",
    answer="circles.Conflict",
    status=201,
    also={200: "One about the same is open already.", **_CLASH},
)
def report_conflict(call: Call, circle: str) -> Response:
    """Report that agents are in each other's way, as who watches them sees it."""
    from chalicelib.api.shapes.circles import NewConflict

    wish = call.body(NewConflict).model_dump(exclude_none=True)
    found = call.platform.circles.service.find(circle)
    made, known = call.platform.circles.tasks.report(found.id, wish)
    return answer_json(made.shown(), 200 if known else 201)


@routes.get(
    _ONE + "/conflicts",
    scope=READ,
    query=(_CONFLICT_STATUS, _LIMIT, CURSOR),
    answer="circles.ConflictPage",
)
def list_conflicts(call: Call, circle: str) -> Any:
    """List conflicts, the newest first."""
    page, cursor = call.platform.circles.tasks.conflicts(
        call.platform.circles.service.find(circle).id,
        call.take(_CONFLICT_STATUS),
        call.take(CURSOR),
        call.take(_LIMIT),
    )
    return {"conflicts": page, "cursor": cursor}


@routes.post(
    _ONE + "/conflicts/{conflict_id}/resolve",
    scope=WRITE,
    body="circles.Resolution",
    answer="circles.Conflict",
    also=_CLASH,
)
def resolve_conflict(call: Call, circle: str, conflict_id: str) -> Any:
    """End a conflict."""
    from chalicelib.api.shapes.circles import Resolution

    wish = call.body(Resolution).model_dump(exclude_none=True)
    found = call.platform.circles.service.find(circle)
    number = given.number("conflict", conflict_id)
    return call.platform.circles.tasks.resolve(found.id, number, wish).shown()


@routes.post(
    _ONE + "/events",
    scope=WRITE,
    body="circles.Note",
    answer="circles.CircleEvent",
    status=201,
)
def note_circle_event(call: Call, circle: str) -> Any:
    """Write a line into the history of a circle; nothing is published."""
    from chalicelib.api.shapes.circles import Note

    service = call.platform.circles.service
    wish = call.body(Note).model_dump(exclude_none=True)
    return service.note(service.find(circle).id, wish)


@routes.get(
    _ONE + "/events",
    scope=READ,
    query=(_TYPE, _LIMIT, CURSOR),
    answer="circles.CircleEvents",
)
def list_circle_events(call: Call, circle: str) -> Any:
    """List the history of a circle, the newest first; it ends as the log's does."""
    service = call.platform.circles.service
    page, cursor = service.history(
        service.find(circle).id, call.take(_TYPE), call.take(CURSOR), call.take(_LIMIT)
    )
    return {"events": page, "cursor": cursor}


@routes.get(_ONE + "/metrics", scope=READ, answer="circles.CircleMetrics")
def circle_metrics(call: Call, circle: str) -> Any:
    """Count what a circle did, and who does how much."""
    service = call.platform.circles.service
    return service.metrics(service.find(circle).id)
