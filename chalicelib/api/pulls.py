"""Pull requests: as the seed shows them, and all that is known of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json, failure
from chalicelib.api._parameters import CURSOR, Parameter, limit
from eventyard.core import moments
from eventyard.core.errors import NotFoundError

if TYPE_CHECKING:
    from chalicelib.pulls.reads import Wish

routes = Routes(__name__)
READ: Final = "pulls:read"
WRITE: Final = "pulls:write"
_PULLS: Final = "/api/v1/pulls"
_ONE: Final = _PULLS + "/{owner}/{name}/{number}"
#: Where to listen from, so that nothing falls between a list and what comes live.
_LIVE_HEADER: Final = "Eventyard-Cursor"
_REPOSITORY: Final = Parameter(
    "repository", "Of this one alone: `owner/name`.", default=""
)
_STATE: Final = Parameter("state", "`open` or `done`.", choices=("open", "done"))
_STATUS: Final = Parameter(
    "status",
    "One of these; may be repeated.",
    many=True,
    choices=(
        "pending",
        "building",
        "buildPassed",
        "buildFailed",
        "approved",
        "merged",
        "closed",
    ),
)
_RISK: Final = Parameter(
    "risk", "As the newest insight says.", choices=("low", "medium", "high")
)
_AUTHOR: Final = Parameter("author", "Who opened it.", default="")
_REVIEWER: Final = Parameter(
    "reviewer", "Who is asked, or has reviewed it.", default=""
)
_LABEL: Final = Parameter("label", "It has this label.", default="")
_TEXT: Final = Parameter(
    "q", "Words of title, author, branch, repository, number.", default=""
)
_DRAFT: Final = Parameter("draft", "Drafts alone, or none.", "flag")
_LIMIT: Final = limit(50, highest=200)
_ALL: Final = limit(500, highest=1_000)
_DAYS: Final = Parameter(
    "days", "What was done in so many days.", "integer", default=30, highest=365
)
_WISH: Final = (
    _REPOSITORY,
    _STATE,
    _STATUS,
    _RISK,
    _AUTHOR,
    _REVIEWER,
    _LABEL,
    _TEXT,
    _DRAFT,
)
_NONE: Final = {404: "There is no such pull request."}


@routes.get(
    "/api/prs",
    scope=READ,
    query=(_REPOSITORY, _STATE, _ALL),
    answer="pulls.SeedPulls",
)
def list_prs(call: Call) -> Response:
    """List pull requests, last updated first; a header tells where to listen from."""
    from chalicelib.pulls.shown import as_seed

    live = call.platform.pulls.reads.now()
    found, _ = call.platform.pulls.reads.page(
        _wish(call, _REPOSITORY, _STATE), call.take(_ALL)
    )
    return answer_json([as_seed(pull) for pull in found], headers={_LIVE_HEADER: live})


@routes.get(
    "/api/insights/{pr_number}",
    scope=READ,
    query=(_REPOSITORY,),
    answer="pulls.SeedInsights",
    also={422: "The number is none."},
)
def list_insights(call: Call, pr_number: str) -> Any:
    """List what was made of a pull request, the newest first."""
    from chalicelib.pulls.shown import insights_as_seed

    if not pr_number.isascii() or not pr_number.isdigit() or len(pr_number) > 10:  # noqa: PLR2004
        return failure(422, "invalid_number", "pr_number must be a whole number.")
    reads, number = call.platform.pulls.reads, int(pr_number)
    repository = reads.with_number(number, call.take(_REPOSITORY))
    return insights_as_seed(reads.insights(repository, number) if repository else [])


@routes.get(
    "/api/repository",
    scope=READ,
    query=(_REPOSITORY,),
    answer="pulls.SeedRepository",
    also={404: "No repository is known yet, or not this one."},
)
def get_repository(call: Call) -> Any:
    """Tell of a repository, by default the one where something happened last."""
    from chalicelib.pulls.reads import as_seed

    store, wanted = call.platform.pulls.store, call.take(_REPOSITORY)
    known = store.repositories()
    fitting = [one for one in known if wanted.lower() in ("", one["sk"].lower())]
    if not fitting:
        what = wanted or "a repository; connect one by its webhook"
        raise NotFoundError(f"Nothing is known of {what}.")
    newest = max(fitting, key=lambda one: str(one["stamp"]))
    return as_seed(call.platform.pulls.reads.repository(newest))


@routes.get("/api/v1/repositories", scope=READ, answer="pulls.Repositories")
def list_repositories(call: Call) -> Any:
    """List the repositories that were heard of, by name."""
    return {"repositories": call.platform.pulls.reads.repositories()}


@routes.get(_PULLS, scope=READ, query=(*_WISH, _LIMIT, CURSOR), answer="pulls.Pulls")
def list_pulls(call: Call) -> Any:
    """List pull requests, last updated first; `live` is the cursor to listen from."""
    reads = call.platform.pulls.reads
    live = reads.now()
    found, cursor = reads.page(
        _wish(call, *_WISH), call.take(_LIMIT), call.take(CURSOR)
    )
    return {"pulls": found, "cursor": cursor, "live": live}


def _wish(call: Call, *parameters: Parameter) -> Wish:
    from chalicelib.pulls.reads import Wish

    named = {"q": "text"}
    asked = {named.get(one.name, one.name): call.take(one) for one in parameters}
    if "status" in asked:
        asked["status"] = tuple(asked["status"])
    return Wish(**asked)


@routes.get(
    _PULLS + "/metrics", scope=READ, query=(_REPOSITORY, _DAYS), answer="pulls.Metrics"
)
def get_metrics(call: Call) -> Any:
    """Tell how long pull requests take, which lie still, and who reviews how much."""
    from chalicelib.pulls import metrics

    pulls, days = call.platform.pulls, call.take(_DAYS)
    now = datetime.fromtimestamp(pulls.store.clock(), UTC)
    since = moments.write(now - timedelta(days=days))
    found = list(pulls.reads.listed_since(_wish(call, _REPOSITORY), since))
    merged = [one for one in found if (one["merged_at"] or "") > since]
    waiting = [
        one for one in found if one["pipeline_status"]["status_merge"] == "pending"
    ]
    return {
        "days": days,
        "merged": len(merged),
        "open": len(waiting),
        "phases": metrics.cycle(merged),
        "stale": metrics.stale(waiting, now.timestamp()),
        "load": metrics.load(found),
        "insights": pulls.insight_counts(),
    }


@routes.get(_ONE, scope=READ, answer="pulls.Detail", also=_NONE)
def get_pull(call: Call, owner: str, name: str, number: str) -> Any:
    """Tell all about a pull request."""
    return call.platform.pulls.reads.detail(*_named(owner, name, number))


@routes.get(
    _ONE + "/history",
    scope=READ,
    query=(_LIMIT, CURSOR),
    answer="pulls.History",
    also=_NONE,
)
def get_history(call: Call, owner: str, name: str, number: str) -> Any:
    """Tell what happened to a pull request, the newest first."""
    return call.platform.pulls.reads.history(
        *_named(owner, name, number), call.take(CURSOR), call.take(_LIMIT)
    )


@routes.post(
    _ONE + "/analyse",
    scope=WRITE,
    answer="pulls.Queued",
    status=202,
    also={**_NONE, 409: "Its head commit is not known."},
)
def analyse_pull(call: Call, owner: str, name: str, number: str) -> Any:
    """Have a pull request read again; the insight comes live, and stands in the list."""
    repository, wanted = _named(owner, name, number)
    pulls = call.platform.pulls
    sha = pulls.reads.row(repository, wanted).state.sha
    pulls.analyse(
        {"repository": repository, "number": wanted, "sha": sha, "again": True}
    )
    call.audit("pull.analysed", {"repository": repository, "number": wanted})
    return {"status": "queued"}


def _named(owner: str, name: str, number: str) -> tuple[str, int]:
    if not number.isascii() or not number.isdigit() or len(number) > 10:  # noqa: PLR2004
        raise NotFoundError(f"{number[:40]!r} is no number of a pull request.")
    return f"{owner}/{name}", int(number)
