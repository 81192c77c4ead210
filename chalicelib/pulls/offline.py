"""A reading by rules: no model, no cost, the same for the same change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from chalicelib.config import AnalystName
from chalicelib.pulls.analysis import (
    MOST_ISSUES,
    MOST_KEY_CHANGES,
    MOST_SECURITY,
    RISKS,
    SUMMARY,
    Analysis,
    Risk,
    clip,
)
from chalicelib.pulls.analyst import Answer
from chalicelib.pulls.patches import FileChange
from chalicelib.pulls.request import Request
from chalicelib.pulls.signs import Signs, signs

#: More lines or more files than this are of at least this risk.
_SIZES: Final[tuple[tuple[Risk, int, int], ...]] = (
    ("high", 200, 10),
    ("medium", 50, 3),
)
#: Up to so many lines and files a review is of this effort; beyond them it is 5.
_EFFORTS: Final = ((1, 20, 2), (2, 50, 4), (3, 200, 10), (4, 800, 40))
_WORDS: Final = {
    "source": "source",
    "other": "configuration",
    "test": "tests",
    "docs": "documents",
}
_SIGNED: Final = "Read by rules, not by a model:"
_UNKNOWN: Final = "Which files are changed is not known."


class OfflineAnalyst:
    """Judges by size, by which parts are touched, and by signs in the lines added."""

    name: AnalystName = "offline"
    key = "offline"

    def analyse(self, request: Request) -> Answer:
        """Return what the rules say; it never fails."""
        if request.files is None:
            return Answer(_unseen(request), self.name)
        read = tuple(file.path for file in request.files if _was_read(file))
        return Answer(_seen(request, request.files), self.name, read=read)


def _was_read(file: FileChange) -> bool:
    return file.patch is not None and not file.skipped


def _unseen(request: Request) -> Analysis:
    lines = request.additions + request.deletions
    files = request.changed_files
    return Analysis(
        risk_level=_by_size(lines, files or 0),
        confidence_score=0.2,
        summary=f"{_SIGNED} {_size(request, files)}. {_UNKNOWN}",
        recommendation=(
            "Look at the changed files on GitHub; with EVENTYARD_GITHUB_TOKEN they are "
            "read here as well."
        ),
        effort=_effort(lines, files or 0),
    )


def _seen(request: Request, files: Sequence[FileChange]) -> Analysis:
    counted = [file for file in files if not file.skipped]
    lines = sum(file.lines for file in counted)
    found = signs(files)
    by_size = _by_size(lines, len(counted))
    return Analysis(
        risk_level=max(_bounded(by_size, counted), found.risk, key=RISKS.index),
        confidence_score=_confidence(counted),
        summary=clip(f"{_SIGNED} {_told(request, counted, found)}", SUMMARY),
        recommendation=_recommendation(found, by_size),
        key_changes=_key_changes(counted, found),
        effort=_effort(lines, len(counted)),
        issues=found.issues[:MOST_ISSUES],
        security=found.security[:MOST_SECURITY],
    )


def _by_size(lines: int, files: int) -> Risk:
    fits = (risk for risk, most, many in _SIZES if lines > most or files > many)
    return next(fits, "low")


def _bounded(risk: Risk, files: Sequence[FileChange]) -> Risk:
    kinds = {file.kind for file in files}
    if kinds <= {"docs"}:
        return "low"
    if kinds <= {"docs", "test"}:
        return min(risk, "medium", key=RISKS.index)
    return risk


def _effort(lines: int, files: int) -> int:
    fits = (size for size, most, many in _EFFORTS if lines <= most and files <= many)
    return next(fits, 5)


def _confidence(files: Sequence[FileChange]) -> float:
    read = sum(file.patch is not None for file in files)
    return round(0.4 + 0.2 * (read / len(files) if files else 1), 2)


def _size(request: Request, files: int | None) -> str:
    where = "" if files is None else f" in {_count(files, 'file')}"
    added = _count(request.additions, "line")
    return f"{added} added and {request.deletions} taken away{where}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _told(request: Request, files: Sequence[FileChange], found: Signs) -> str:
    kinds = Counter(_WORDS[file.kind] for file in files)
    of = ", ".join(f"{number} of {what}" for what, number in kinds.most_common())
    whole = len(request.files or ())
    left = whole - len(files)
    parts = [_size(request, whole) + (f" ({of})" if of else "")]
    if left:
        parts.append(f"{_count(left, 'file')} that nobody wrote by hand not counted")
    text = "; ".join(parts) + "."
    if found.areas:
        text += f" It touches {_listed([name for name, _, _ in found.areas])}."
    return text


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _recommendation(found: Signs, by_size: Risk) -> str:
    first = next(iter(found.issues), None)
    if first is not None and first.severity == "high":
        line = f":{first.line}" if first.line else ""
        return f"Before anything else look at {clip(first.path, 200)}{line}: {first.message}"
    if found.areas:
        name, _, path = found.areas[0]
        return f"Have somebody review it who knows {name}, beginning with {path}."
    if first is not None:
        return f"{first.message} See {clip(first.path, 200)}."
    if by_size == "high":
        return "It is large: review it in parts, or ask for smaller pull requests."
    return "Review it as usual; the rules found nothing that stands out."


def _key_changes(files: Sequence[FileChange], found: Signs) -> tuple[str, ...]:
    areas = [f"{name.capitalize()}: {path}" for name, _, path in found.areas]
    largest = sorted(files, key=lambda file: (-file.lines, file.path))
    sizes = [
        f"{file.name}: {file.status}, +{file.additions} -{file.deletions}"
        for file in largest
    ]
    return tuple([*areas, *sizes][:MOST_KEY_CHANGES])
