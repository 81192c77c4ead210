"""What is shown of pull requests: one shape for lists, details and live messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chalicelib.pulls.state import PullState, pipeline, status_of
from eventyard.core import moments

_NEVER: Final = "1970-01-01T00:00:00.000Z"


def show(state: PullState) -> dict[str, Any]:
    """Return the complete state, without its revision."""
    core, states = state.core[1], pipeline(state)
    verdicts = state.verdicts()
    words = (states["status_merge"], states["status_approval"], states["status_build"])
    return {
        "repository_name": state.repository,
        "pr_number": state.number,
        "title": core["title"],
        "description": core["description"],
        "author": core["author"],
        "author_avatar": core["author_avatar"],
        "url": core["url"],
        "commit_sha": core["sha"],
        "branch_name": core["branch"],
        "base_branch": core["base"],
        "base_sha": core["base_sha"],
        "fork": core["fork"],
        **_size(state),
        "files_changed": list(state.files),
        "is_draft": core["draft"],
        "labels": core["labels"],
        "assignees": core["assignees"],
        "requested_reviewers": core["requested"],
        "status": status_of(*words),
        "pipeline_status": states,
        "checks": state.counts,
        "reviews": [
            {"reviewer": one.reviewer, "state": one.state, "at": one.at}
            for one in verdicts
        ],
        "ai_insight": dict(state.insight) if state.insight else None,
        **_moments(state),
    }


def _size(state: PullState) -> dict[str, Any]:
    size = state.size[1]
    return {
        "additions": size.get("additions", 0),
        "deletions": size.get("deletions", 0),
        "changed_files": size.get("changed_files"),
        "commits": size.get("commits"),
    }


def _moments(state: PullState) -> dict[str, str | None]:
    core = state.core[1]
    updated = state.updated_at or _NEVER
    approved = [one.at for one in state.verdicts() if one.state == "approved"]
    others = [r.at for r in state.reviews.values() if r.reviewer != core["author"]]
    closed = None if state.is_open else (state.merged_at or core["closed_at"])
    return {
        "created_at": core["created_at"] or updated,
        "updated_at": updated,
        "merged_at": state.merged_at,
        "closed_at": closed,
        "first_commit_at": state.first_commit_at,
        "first_review_at": min(others, default=None),
        "approved_at": min(approved, default=None),
    }


def phases(pull: Mapping[str, Any]) -> dict[str, float | None]:
    """
    Return how long each phase took, in seconds; None for one that is not over.

    Coding until it was opened, pickup until somebody reviewed it, review until it was
    approved (or merged without that), merge until it was in; and all of it.
    """
    opened, merged = pull["created_at"], pull["merged_at"]
    reviewed, approved = pull["first_review_at"], pull["approved_at"]
    return {
        "coding_s": _between(pull["first_commit_at"], opened),
        "pickup_s": _between(opened, reviewed),
        "review_s": _between(reviewed, approved or merged),
        "merge_s": _between(approved, merged),
        "cycle_s": _between(pull["first_commit_at"] or opened, merged),
    }


def _between(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    took = (moments.read(end) - moments.read(start)).total_seconds()
    # A commit may be made after the pull request was opened, then nothing was waited for.
    return max(took, 0.0)


def as_seed(pull: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pull request as `GET /api/prs` shows it."""
    return {
        "number": pull["pr_number"],
        "title": pull["title"],
        "description": pull["description"],
        "author": pull["author"],
        "authorAvatar": pull["author_avatar"],
        "commitSha": pull["commit_sha"],
        "repositoryName": pull["repository_name"],
        "createdAt": pull["created_at"],
        "updatedAt": pull["updated_at"],
        "status": pull["status"],
        "filesChanged": pull["files_changed"],
        "additions": pull["additions"],
        "deletions": pull["deletions"],
        "branchName": pull["branch_name"],
        "isDraft": pull["is_draft"],
    }


def insights_as_seed(insights: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return insights as `GET /api/insights/{pr_number}` shows them."""
    return [
        {
            "id": one["id"],
            "prNumber": one["pr_number"],
            "commitSha": one["commit_sha"],
            "riskLevel": one["risk_level"],
            "summary": one["summary"],
            "recommendation": one["recommendation"],
            "createdAt": one["created_at"],
            "keyChanges": one["key_changes"],
            "confidenceScore": one["confidence_score"],
        }
        for one in insights
    ]
