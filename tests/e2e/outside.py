"""What the running platform meets of the world: GitHub and a model, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests import geminiserver, githubserver
from tests.geminiserver import Gemini
from tests.githubserver import GitHub

SECRET = "what GitHub and we know"
#: What the model says of every pull request unless it is told otherwise.
USUAL: dict[str, Any] = {
    "risk_level": "medium",
    "confidence_score": 0.8,
    "summary": "Charges are tried again.",
    "recommendation": "Ask for a limit.",
    "key_changes": ["retry.py tries three times"],
    "effort": 2,
    "issues": [
        {"path": "retry.py", "line": 1, "severity": "low", "message": "No jitter."}
    ],
    "security": [],
}


@dataclass(frozen=True)
class Outside:
    github: GitHub
    gemini: Gemini

    @property
    def settings(self) -> dict[str, str]:
        """What a platform is told of them; its webhooks may go to this machine."""
        return {
            "EVENTYARD_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
            "EVENTYARD_GITHUB_SECRET": SECRET,
            "EVENTYARD_GITHUB_TOKEN": githubserver.TOKEN,
            "EVENTYARD_GITHUB_API": self.github.url,
            "GEMINI_API_KEY": geminiserver.KEY,
            "EVENTYARD_GEMINI_URL": self.gemini.origin,
        }


@contextmanager
def outside_world() -> Iterator[Outside]:
    """Let both servers run; what they hold is kept by repository, so many may ask."""
    with GitHub() as github, Gemini(USUAL) as gemini:
        yield Outside(github, gemini)
