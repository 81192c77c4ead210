"""Checks of a commit: what runs, jobs, suites and statuses say, and what that makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from chalicelib.pulls.facts import Check, Stamp
from chalicelib.pulls.payload import at, clipped, dig, link, text, whole

#: What does not count: it says neither that the code is good nor that it is not.
_IGNORED: Final = frozenset({"neutral", "skipped", "cancelled", "stale"})
_RUNNING: Final = {"queued": 0, "requested": 0, "waiting": 0, "pending": 0}
_DONE: Final = 2
STATES: Final = ("passed", "failed", "running", "ignored")
_LEVELS: Final = (
    frozenset({"check", "status"}),
    frozenset({"job"}),
    frozenset({"workflow"}),
    frozenset({"suite"}),
)
_STATUS: Final = {"success": "success", "pending": None}


def read(
    event: str, repository: str, payload: Mapping[str, Any], digest: str
) -> tuple[Check, ...]:
    """Return the check that a delivery tells of, if it tells of one."""
    found = READERS[event](repository, payload, digest)
    return (found,) if found is not None else ()


def counted(checks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """
    Count checks by their state, each once.

    One run of GitHub's own is told as a check, a job, a workflow and a suite: what is
    told of in most detail is counted.
    """
    known = list(checks)
    kinds = {check["kind"] for check in known}
    finest = next((level for level in _LEVELS if level & kinds), frozenset())
    found = Counter(check["state"] for check in known if check["kind"] in finest)
    return {state: found[state] for state in STATES}


def build(checks: Iterable[Mapping[str, Any]]) -> str:
    """Return what all checks together make: any failure fails, then any run runs."""
    states = {check["state"] for check in checks}
    return next((s for s in ("failed", "running", "passed") if s in states), "pending")


def _state(status: str | None, conclusion: str | None) -> str:
    if status != "completed":
        return "running"
    if conclusion == "success":
        return "passed"
    return "ignored" if conclusion in _IGNORED else "failed"


def _run(kind: str, told: Any, names: tuple[str, str]) -> dict[str, Any] | None:
    key, name = names
    sha = text(dig(told, "head_sha"))
    if not sha or not name:
        return None
    status = text(dig(told, "status"))
    conclusion = text(dig(told, "conclusion"))
    if status != "completed":
        conclusion = None
    return {
        "sha": sha,
        "key": f"{kind}#{key}"[:500],
        "kind": kind,
        "name": name,
        "state": _state(status, conclusion),
        "conclusion": conclusion,
        "url": link(dig(told, "html_url")) or link(dig(told, "details_url")),
    }


def _stamp(begun: str | None, *later: Any) -> tuple[str, int, str]:
    # A run that began later is newer, however late the older one's end is told; of
    # one run, more attempts, more progress, and a later end count.
    told = ",".join(
        f"{one:020d}" if isinstance(one, int) else str(one) for one in later
    )
    return (begun or "", 0, told)


def _progress(status: str | None) -> int:
    return _DONE if status == "completed" else _RUNNING.get(status or "", 1)


def _check_run(
    repository: str, payload: Mapping[str, Any], digest: str
) -> Check | None:
    told = payload.get("check_run")
    app = text(dig(told, "app", "slug")) or "-"
    name = clipped(dig(told, "name"), 200) or ""
    shape = _run("check", told, (f"{app}#{name}", name))
    begun, ended = at(dig(told, "started_at")), at(dig(told, "completed_at"))
    progress = _progress(text(dig(told, "status")))
    stamp = _stamp(begun, whole(dig(told, "id")) or 0, progress, ended or "", digest)
    if shape and payload.get("action") == "rerequested":
        # It tells of the run that ended; another one is about to begin.
        shape |= {"state": "running", "conclusion": None}
        again = f"{ended or ''}~"
        stamp = _stamp(begun, whole(dig(told, "id")) or 0, _DONE, again, digest)
    return _made(repository, shape, stamp, begun, ended)


def _check_suite(
    repository: str, payload: Mapping[str, Any], digest: str
) -> Check | None:
    told = payload.get("check_suite")
    app = text(dig(told, "app", "slug")) or str(whole(dig(told, "id")) or "-")
    name = clipped(dig(told, "app", "name"), 200) or app
    shape = _run("suite", told, (app, name))
    begun, changed = at(dig(told, "created_at")), at(dig(told, "updated_at"))
    progress = _progress(text(dig(told, "status")))
    if shape and payload.get("action") in ("requested", "rerequested"):
        shape |= {"state": "running", "conclusion": None}
        progress = 0
    # A suite that is asked for again keeps its id and its beginning.
    stamp = _stamp(changed or begun, progress, whole(dig(told, "id")) or 0, digest)
    ended = changed if shape and shape["state"] != "running" else None
    return _made(repository, shape, stamp, begun, ended)


def _workflow_run(
    repository: str, payload: Mapping[str, Any], digest: str
) -> Check | None:
    told = payload.get("workflow_run")
    name = clipped(dig(told, "name"), 200) or ""
    key = str(whole(dig(told, "workflow_id")) or name)
    shape = _run("workflow", told, (key, name))
    begun, changed = at(dig(told, "run_started_at")), at(dig(told, "updated_at"))
    begun = begun or at(dig(told, "created_at"))
    counts = [whole(dig(told, "run_number")) or 0, whole(dig(told, "run_attempt")) or 0]
    progress = _progress(text(dig(told, "status")))
    stamp = _stamp("", *counts, progress, changed or "", digest)
    ended = changed if shape and shape["state"] != "running" else None
    return _made(repository, shape, stamp, begun, ended)


def _workflow_job(
    repository: str, payload: Mapping[str, Any], digest: str
) -> Check | None:
    told = payload.get("workflow_job")
    workflow = clipped(dig(told, "workflow_name"), 200) or ""
    name = clipped(dig(told, "name"), 200) or ""
    shape = _run("job", told, (f"{workflow}#{name}", name))
    begun, ended = at(dig(told, "started_at")), at(dig(told, "completed_at"))
    counts = [whole(dig(told, "run_id")) or 0, whole(dig(told, "run_attempt")) or 0]
    counts.append(whole(dig(told, "id")) or 0)
    progress = _progress(text(dig(told, "status")))
    stamp = _stamp("", *counts, progress, ended or "", digest)
    return _made(repository, shape, stamp, begun, ended)


def _commit_status(
    repository: str, payload: Mapping[str, Any], digest: str
) -> Check | None:
    name, state = clipped(payload.get("context"), 200) or "", text(payload.get("state"))
    changed = at(payload.get("updated_at")) or at(payload.get("created_at"))
    done = state != "pending"
    told = {
        "head_sha": payload.get("sha"),
        "status": "completed" if done else "pending",
        "conclusion": _STATUS.get(state or "", "failure"),
        "html_url": payload.get("target_url"),
    }
    shape = _run("status", told, (name, name))
    stamp = _stamp(changed, whole(payload.get("id")) or 0, digest)
    return _made(repository, shape, stamp, changed, changed if done else None)


def _made(
    repository: str,
    shape: dict[str, Any] | None,
    stamp: Stamp,
    begun: str | None,
    ended: str | None,
) -> Check | None:
    if shape is None:
        return None
    return Check(
        repository=repository,
        stamp=stamp,
        started_at=begun,
        completed_at=ended,
        **shape,
    )


READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any], str], Check | None]]] = {
    "check_run": _check_run,
    "check_suite": _check_suite,
    "workflow_run": _workflow_run,
    "workflow_job": _workflow_job,
    "status": _commit_status,
}
