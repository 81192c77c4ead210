"""Webhooks of GitHub to the running platform, and what became of them."""

from __future__ import annotations

from typing import Any

from tests.e2e.outside import SECRET
from tests.e2e.running import RunningPlatform, wait_until
from tests.github import NUMBER, Sample


def post(running: RunningPlatform, sample: Sample) -> dict[str, Any]:
    status, answered = running.send("/webhook", sample.raw, sample.signed(SECRET))
    assert status == 202, answered
    return dict(answered)


def deliver(running: RunningPlatform, *samples: Sample) -> list[dict[str, Any]]:
    """Send webhooks one after the other, and wait until their work is done."""
    answered = [post(running, sample) for sample in samples]
    all_done(running)
    return answered


def deliveries(running: RunningPlatform, state: str) -> list[dict[str, Any]]:
    path = f"/api/v1/webhooks/deliveries?limit=200&state={state}"
    return list(running.get(path)["deliveries"])


def all_done(running: RunningPlatform, seconds: float = 60) -> None:
    wait_until(lambda: not deliveries(running, "open"), seconds, "their work")


def detail(
    running: RunningPlatform, repository: str, number: int = NUMBER
) -> dict[str, Any]:
    return dict(running.get(f"/api/v1/pulls/{repository}/{number}"))


def pull(
    running: RunningPlatform, repository: str, number: int = NUMBER
) -> dict[str, Any]:
    return dict(detail(running, repository, number)["pull"])


def insight_of(
    running: RunningPlatform, repository: str, sha: str, number: int = NUMBER
) -> dict[str, Any]:
    """Return what was said of a commit, as soon as it is part of the state."""

    def found() -> Any:
        insight = pull(running, repository, number)["ai_insight"]
        return insight if insight and insight["commit_sha"] == sha else None

    return dict(wait_until(found, what=f"the insight of {sha}"))
