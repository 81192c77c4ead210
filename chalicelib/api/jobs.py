"""`/api/<service>s`: jobs of each service; `/api/v1/jobs`: those of all, and workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from chalice.app import Response

from chalicelib.api import _jobs as answers
from chalicelib.api._endpoint import OURS, Call, Routes, answer_json
from chalicelib.api._parameters import CURSOR, Parameter, limit
from chalicelib.jobs.registry import SERVICES

routes = Routes(__name__, answers.FAULTS)
READ: Final = "jobs:read"
SUBMIT: Final = "jobs:submit"
_STATUS: Final = Parameter(
    "status",
    "Only those that are this.",
    choices=("pending", "running", "completed", "failed", "cancelled"),
)
_SERVICE: Final = Parameter("service", "Of this service alone.", choices=(*SERVICES,))
_FORMAT: Final = Parameter(
    "format",
    "How the rows are written.",
    default="json",
    choices=("json", "jsonl", "csv"),
)
_KEY: Final = Parameter(
    "Idempotency-Key",
    "A second try with the same one, within a day, is answered with the first.",
)
_LIMIT: Final = limit(50, highest=200)
_ROWS: Final = limit(1_000, highest=1_000)
#: What is asked for, for the documents, where a service says it.
_BODIES: Final = {"scraper": "jobs.NewScrape"}
_REJECTED: Final = ("The job, or a parameter, makes no sense.", "jobs.RefusedJob")
_NONE: Final = ("There is no such job.", "jobs.MissingJob")
_WRONG: Final = {400: _REJECTED}

View = Callable[..., Any]


def submit(call: Call, name: str) -> Response:
    """
    Submit a job; what its keys stand for already is answered with.

    It is checked at once and done later; its state is told by its address, and live.
    """
    data, wish = answers.read_job(call)
    taken = call.platform.jobs.service.submit(name, data, wish, call.principal)
    told = {
        "success": True,
        "job_id": taken.row.id,
        "task_id": f"task_{taken.row.ulid}",
        "status": "submitted",
        "queue_position": taken.position,
        "deduplicated": taken.known,
        "error": None,
    }
    return answer_json(told, 200 if taken.known else 202)


def list_all(call: Call, name: str) -> Any:
    """List the jobs of the service, the newest first."""
    found, cursor = _page(call, name)
    told = {"jobs": found, "total": len(found)}
    return {**told, "timestamp": answers.now(), "cursor": cursor}


def history(call: Call, name: str) -> Any:
    """Tell what became of the jobs of the service, the newest first."""
    found, cursor = _page(call, name)
    told = {"history": [answers.past(one) for one in found], "total": len(found)}
    return {**told, "timestamp": answers.now(), "cursor": cursor}


def _page(call: Call, name: str | None) -> tuple[list[dict[str, Any]], str | None]:
    return call.platform.jobs.service.page(
        name, call.take(_STATUS), call.take(CURSOR), call.take(_LIMIT)
    )


def get(call: Call, name: str, job_id: str) -> Any:
    """Tell how a job does."""
    return call.platform.jobs.service.get(job_id, name)


def results(call: Call, name: str, job_id: str) -> Any:
    """
    Tell what came of a job, also while it is done: a page of rows.

    A page has up to `limit` rows and 4 MB. `jsonl` and `csv` have the rows alone, and
    the cursor in the header `Eventyard-Cursor`, which the last page lacks; the first
    page of `csv` has a header line. Cells that a spreadsheet would take for a formula
    have an apostrophe before them.
    """
    cursor, form = call.take(CURSOR), call.take(_FORMAT)
    service = call.platform.jobs.service
    found = service.results(job_id, name, cursor, call.take(_ROWS))
    match form:
        case "jsonl":
            return answers.as_lines(found.rows, found.cursor)
        case "csv":
            columns = call.platform.jobs.registry.get(name).result_columns
            return answers.as_csv(
                found.rows, columns, found.cursor, first=cursor is None
            )
    kind = call.platform.jobs.registry.get(name)
    good, bad = call.platform.jobs.rows.count(job_id)
    return {
        **answers.past(found.job),
        kind.results_name: found.rows,
        kind.total_name: good,
        "failed_results": bad,
        "cursor": found.cursor,
    }


def stats(call: Call, name: str) -> Any:
    """Count what the service did, and who works for it."""
    told = call.platform.jobs.service.stats(name)
    return {**told, "timestamp": answers.now()}


def cancel(call: Call, name: str, job_id: str) -> Any:
    """
    Cancel a job: at once, or at its next step where somebody does it.

    What it brought by then is kept. Whose job it is may cancel it, and an admin.
    """
    row, message = call.platform.jobs.service.cancel(job_id, name, call.principal)
    told = {"success": True, "job_id": row.id, "status": row.status}
    return {**told, "message": message}


@dataclass(frozen=True, slots=True)
class _Address:
    """One of the addresses that each service has."""

    verb: str
    where: str
    view: View
    #: What documents and clients call it.
    called: str
    scope: str
    answer: str
    more: Mapping[str, Any]


_LISTED: Final = {"query": (_STATUS, _LIMIT, CURSOR), "also": _WRONG}
_MISSING: Final = {404: _NONE}
_ADDRESSES: Final = (
    _Address(
        "post",
        "/submit",
        submit,
        "submit_{}_job",
        SUBMIT,
        "jobs.SubmittedJob",
        {
            "headers": (_KEY,),
            "status": 202,
            "also": {
                **_WRONG,
                200: ("It is there already.", "jobs.SubmittedJob"),
                409: ("Its key stands for another job.", "jobs.RefusedJob"),
            },
        },
    ),
    _Address("get", "/jobs", list_all, "list_{}_jobs", READ, "jobs.SeedJobs", _LISTED),
    _Address(
        "get", "/history", history, "get_{}_history", READ, "jobs.JobHistory", _LISTED
    ),
    _Address("get", "/stats", stats, "get_{}_stats", READ, "jobs.ServiceStats", {}),
    _Address(
        "get", "/jobs/{job_id}", get, "get_{}_job", READ, "jobs.Job", {"also": _MISSING}
    ),
    _Address(
        "get",
        "/jobs/{job_id}/results",
        results,
        "get_{}_results",
        READ,
        "jobs.JobResults",
        {
            "query": (_FORMAT, _ROWS, CURSOR),
            "media": ("application/json", "application/x-ndjson", "text/csv"),
            "also": {**_WRONG, **_MISSING},
        },
    ),
    _Address(
        "delete",
        "/jobs/{job_id}",
        cancel,
        "cancel_{}_job",
        SUBMIT,
        "jobs.CancelledJob",
        {"also": {**_MISSING, 409: ("It has ended.", "jobs.RefusedJob")}},
    ),
)


def serve(made: Routes, name: str) -> None:
    """Add the addresses of a service; what does its work is not imported."""
    for one in _ADDRESSES:
        body = {"body": _BODIES.get(name, "jobs.NewJob")} if one.view is submit else {}
        route = getattr(made, one.verb)(
            f"/api/{name}s{one.where}",
            scope=one.scope,
            answer=one.answer,
            **one.more,
            **body,
        )
        route(_bound(one.view, name, one.called.format(name)))


def _bound(view: View, name: str, called: str) -> View:
    @wraps(view)
    def bound(call: Call, **parameters: str) -> Any:
        return view(call, name, **parameters)

    # Documents and clients know an operation by this.
    bound.__name__ = called
    return bound


for service_name in SERVICES:
    serve(routes, service_name)


@routes.get(
    "/api/v1/jobs",
    scope=READ,
    query=(_SERVICE, _STATUS, _LIMIT, CURSOR),
    answer="jobs.Jobs",
    faults=OURS,
)
def list_jobs(call: Call) -> Any:
    """List the jobs of all services, the newest first."""
    jobs = call.platform.jobs
    live = call.platform.log.new_key()
    found, cursor = _page(call, call.take(_SERVICE))
    services = [{"name": one, "path": f"/api/{one}s"} for one in jobs.registry.names]
    return {"jobs": found, "services": services, "cursor": cursor, "live": live}


@routes.get("/api/v1/jobs/{job_id}", scope=READ, answer="jobs.OneJob", faults=OURS)
def get_job(call: Call, job_id: str) -> Any:
    """Tell how a job of any service does."""
    return {"job": call.platform.jobs.service.get(job_id)}


@routes.get("/api/v1/workers", scope=READ, answer="jobs.Workers", faults=OURS)
def list_workers(call: Call) -> Any:
    """List who does jobs, or did within an hour, the newest first."""
    return {"workers": call.platform.jobs.service.all_workers()}
