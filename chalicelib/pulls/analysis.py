"""What is said of a pull request: checked, clipped, and held to what it changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from chalicelib.pulls.patches import FileChange
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.wire import loads

Risk = Literal["low", "medium", "high"]
#: From the least to the greatest.
RISKS: Final = ("low", "medium", "high")
SUMMARY: Final = 500
RECOMMENDATION: Final = 1_000
MESSAGE: Final = 300
MOST_KEY_CHANGES: Final = 3
MOST_ISSUES: Final = 5
MOST_SECURITY: Final = 5
_MOST_ANSWER: Final = 100_000
_FENCE: Final = re.compile(r"\A\s*```[a-zA-Z]*\s*(.*?)\s*(?:```\s*)?\Z", re.DOTALL)

#: What a model is asked for, as plain JSON Schema: no references, no unions.
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "risk_level": {
            "type": "string",
            "enum": list(RISKS),
            "description": "How much could go wrong when this is merged.",
        },
        "confidence_score": {
            "type": "number",
            "description": "How sure you are, from 0 to 1.",
        },
        "summary": {
            "type": "string",
            "description": "One or two sentences: what it does, what it means for users.",
        },
        "recommendation": {
            "type": "string",
            "description": "The one thing to do next, for who reviews it.",
        },
        "key_changes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Up to 3 changes that matter most.",
        },
        "effort": {
            "type": "integer",
            "description": "Work to review it: 1 is minutes, 5 is a day.",
        },
        "issues": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "line": {
                        "type": "integer",
                        "description": "In the new file, if it is shown.",
                    },
                    "severity": {"type": "string", "enum": list(RISKS)},
                    "message": {"type": "string"},
                },
                "required": ["path", "severity", "message"],
            },
            "description": "Up to 5 likely faults, the worst first; none is fine.",
        },
        "security": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What concerns security; none is fine.",
        },
    },
    "required": [
        "risk_level",
        "confidence_score",
        "summary",
        "recommendation",
        "key_changes",
        "effort",
        "issues",
        "security",
    ],
}


class AnswerError(EventRouterError):
    """An answer is no analysis; the message says what is wrong."""

    code = "answer_invalid"


@dataclass(frozen=True, slots=True)
class Issue:
    """Something likely to be wrong; without a path it concerns the whole."""

    path: str
    line: int | None
    severity: Risk
    message: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is said of a pull request."""

    risk_level: Risk
    confidence_score: float
    summary: str
    recommendation: str
    key_changes: tuple[str, ...] = ()
    effort: int = 1
    issues: tuple[Issue, ...] = ()
    security: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape; `from_dict` reads it back."""
        shape = asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in shape.items()
        }

    @classmethod
    def from_dict(cls, shape: Mapping[str, Any]) -> Analysis:
        """Read what `to_dict` wrote."""
        lists = {
            "key_changes": tuple(shape["key_changes"]),
            "security": tuple(shape["security"]),
            "issues": tuple(Issue(**issue) for issue in shape["issues"]),
        }
        return cls(**{**shape, **lists})

    def held_to(self, files: Sequence[FileChange] | None) -> Analysis:
        """
        Keep only issues of files that are changed, and only lines that are shown.

        Where files are not known, whatever names one was made up.
        """
        known = {file.path: file for file in files or ()}
        return replace(self, issues=tuple(_grounded(self.issues, known)))

    def raised(self, risk: Risk) -> Analysis:
        """Return it with at least this risk."""
        return replace(self, risk_level=max(self.risk_level, risk, key=RISKS.index))

    def joined(
        self, issues: Iterable[Issue] = (), security: Iterable[str] = ()
    ) -> Analysis:
        """Put issues and notes before its own: what is certain comes first."""
        every = dict.fromkeys([*issues, *self.issues])
        notes = dict.fromkeys([*security, *self.security])
        return replace(
            self,
            issues=tuple(every)[:MOST_ISSUES],
            security=tuple(notes)[:MOST_SECURITY],
        )


def _grounded(
    issues: Iterable[Issue], known: Mapping[str, FileChange]
) -> Iterable[Issue]:
    for issue in issues:
        # Models like to write paths as diffs do.
        tried = (issue.path, re.sub(r"\A(?:[ab]/|\./)", "", issue.path))
        path = next((one for one in tried if one in known), None)
        if path is not None:
            line = issue.line if issue.line in known[path].visible else None
            yield replace(issue, path=path, line=line)


def clip(text: str, most: int) -> str:
    """Cut a text to so many characters, and show that it was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def read(text: str) -> Analysis:
    """
    Read what a model answered.

    The case of levels and the style of names do not matter, nor does a fence around
    it. Raises AnswerError.
    """
    return check(_object(text))


def check(answer: Any) -> Analysis:
    """Check an answer that is read already; raises AnswerError."""
    from chalicelib.pulls import _answer

    return _answer.check(answer)


def _object(text: str) -> Any:
    fenced = _FENCE.match(text[:_MOST_ANSWER])
    inner = fenced[1] if fenced else text[:_MOST_ANSWER]
    start, end = inner.find("{"), inner.rfind("}")
    if start < 0 or end < start:
        raise AnswerError("It is no JSON object.")
    try:
        return loads(inner[start : end + 1])
    except InvalidRequestError as error:
        raise AnswerError(f"It is no JSON: {error.message:.200}") from None
