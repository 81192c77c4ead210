"""The shape that a model's answer must have; imports pydantic."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from chalicelib.pulls.analysis import (
    MESSAGE,
    MOST_ISSUES,
    MOST_KEY_CHANGES,
    MOST_SECURITY,
    RECOMMENDATION,
    SUMMARY,
    Analysis,
    AnswerError,
    Issue,
    Risk,
    clip,
)
from chalicelib.pulls.leaks import mask

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOTHING: Final = re.compile(
    r"(?:none|n/?a|nothing|no (?:security )?(?:concerns?|issues?|risks?))(?: found)?\.?",
    re.IGNORECASE,
)
#: Other words for the same.
_LEVELS: Final = {
    "critical": "high",
    "severe": "high",
    "major": "high",
    "moderate": "medium",
    "warning": "medium",
    "minor": "low",
    "info": "low",
}
_MOST_TOLD: Final = 5
_LONGEST_PATH: Final = 400


def _level(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    return _LEVELS.get(word, word)


def _share(value: Any) -> Any:
    # 85 of 100 is what some understand by it.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 100 if 1 < value <= 100 else value  # noqa: PLR2004
    return value


def _line(value: Any) -> Any:
    return value if type(value) is int and 0 < value < 2**31 else None


def _listed(value: Any) -> Any:
    return [] if value is None else value


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Level = Annotated[Risk, BeforeValidator(_level)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {_CAMEL.sub("_", str(name)).lower(): one for name, one in value.items()}


class _Issue(_Shape):
    path: _Text
    line: Annotated[int | None, BeforeValidator(_line)] = None
    severity: _Level
    message: _Text

    def made(self) -> Issue:
        return Issue(
            _plain(self.path, _LONGEST_PATH),
            self.line,
            self.severity,
            _plain(self.message, MESSAGE),
        )


class _Answer(_Shape):
    risk_level: _Level
    confidence_score: Annotated[float, Field(ge=0, le=1), BeforeValidator(_share)]
    summary: _Text
    recommendation: _Text
    key_changes: Annotated[list[_Text], BeforeValidator(_listed)] = []
    effort: Annotated[int, Field(ge=1, le=5)]
    issues: Annotated[list[_Issue], BeforeValidator(_listed)] = []
    security: Annotated[list[_Text], BeforeValidator(_listed)] = []

    def made(self) -> Analysis:
        notes = [one for one in self.security if not _NOTHING.fullmatch(one)]
        return Analysis(
            risk_level=self.risk_level,
            confidence_score=round(self.confidence_score, 3),
            summary=_plain(self.summary, SUMMARY),
            recommendation=_plain(self.recommendation, RECOMMENDATION),
            key_changes=_texts(self.key_changes, MOST_KEY_CHANGES),
            effort=self.effort,
            issues=tuple(one.made() for one in self.issues[:MOST_ISSUES]),
            security=_texts(notes, MOST_SECURITY),
        )


def _texts(values: list[str], most: int) -> tuple[str, ...]:
    return tuple(_plain(value, MESSAGE) for value in values[:most])


def _plain(text: str, most: int) -> str:
    # What steers the eye rather than speaks to it, such as text that runs backwards,
    # is left out; so is a secret that was read in the changes.
    seen = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return clip(mask(seen).strip(), most)


def check(answer: Any) -> Analysis:
    """Return the analysis that an answer is; raises AnswerError."""
    try:
        made = _Answer.model_validate(answer).made()
    except ValidationError as error:
        raise AnswerError(_told(error)) from None
    if not (made.summary.strip() and made.recommendation.strip()):
        raise AnswerError("summary and recommendation must say something.")
    return made


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    texts = [
        f"{'.'.join(map(str, fault['loc'])) or 'the answer'}: {fault['msg']}"
        for fault in faults[:_MOST_TOLD]
    ]
    return "; ".join(texts)
