"""Signs in what is changed that need no model to be seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from chalicelib.pulls import leaks
from chalicelib.pulls.analysis import RISKS, Issue, Risk
from chalicelib.pulls.patches import FileChange

#: How much of what is added is looked at, over all files: a hostile change is large.
_MOST_CHARACTERS: Final = 5_000_000
#: So many lines less are worth a word, where little comes instead.
_MANY: Final = 100
#: Source that grows by less needs no test of its own.
_FEW: Final = 10

#: A file of a delicate part that changes by more is of the part's whole risk.
_SMALL: Final = 20


class _Area(NamedTuple):
    """A part of a system that matters by what it is, known by its paths."""

    name: str
    risk: Risk
    form: re.Pattern[str]


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|[/_.-])(?:{'|'.join(words)})(?:[/_.-]|$)")


def _names(*names: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/)(?:{'|'.join(names)})$")


def _folders(*names: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/)(?:{'|'.join(names)})/")


_AREAS: Final = (
    _Area(
        "database migrations",
        "high",
        _folders("migrations?", "alembic", "flyway", "liquibase"),
    ),
    _Area(
        "database migrations",
        "high",
        _names(r"v?\d+__?[\w-]+\.sql", r"schema\.(?:sql|rb|prisma)"),
    ),
    _Area(
        "sign-in and security",
        "high",
        _words(
            *("auth[nz]?", "oauth2?", "login", "signin", "session", "passw(?:or)?d"),
            *("permissions?", "security", "crypto", "jwt", "acl", "rbac", "iam"),
        ),
    ),
    _Area("payments", "high", _words("payments?", "billing", r"invoic\w*", "checkout")),
    _Area(
        "the build and its workflows",
        "medium",
        _folders(r"\.github/workflows", r"\.circleci", r"\.buildkite", r"\.ci"),
    ),
    _Area(
        "the build and its workflows",
        "medium",
        _names(
            r"\.gitlab-ci\.yml", "jenkinsfile", r"azure-pipelines\.ya?ml", "makefile"
        ),
    ),
    _Area("infrastructure", "medium", re.compile(r"\.(?:tf|tfvars|bicep)$")),
    _Area(
        "infrastructure",
        "medium",
        _names(
            *("dockerfile[^/]*", r"docker-compose[^/]*", r"compose\.ya?ml"),
            *(r"template\.ya?ml", r"serverless\.ya?ml", r"helmfile\.ya?ml"),
        ),
    ),
    _Area(
        "infrastructure",
        "medium",
        _folders(
            "infra", "terraform", "k8s", "kubernetes", "helm", "charts", "ansible"
        ),
    ),
    _Area(
        "dependencies",
        "medium",
        _names(
            *(r"(?:requirements|constraints)[^/]*\.(?:txt|in)", r"pyproject\.toml"),
            *(r"setup\.(?:py|cfg)", "pipfile", r"package\.json", r"go\.mod"),
            *(r"cargo\.toml", "gemfile", r"pom\.xml", r"build\.gradle(?:\.kts)?"),
            *(r"composer\.json", r"pubspec\.yaml", r"[^/]*\.csproj"),
        ),
    ),
)
_CONFLICT: Final = re.compile(r"(?:<{7}|>{7}|\|{7})(?: |$)")
_DROPS: Final = re.compile(
    r"\b(?:drop\s+(?:table|column|database|schema)|truncate\s+table"
    r"|(?:remove_column|drop_table|drop_column|delete_table)\b)",
    re.IGNORECASE,
)
_SCRIPT: Final = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".svelte")
#: What people leave behind when they have looked for a fault, by the end of the path.
_LEFTOVERS: Final = (
    ((".py",), re.compile(r"^\s*(?:breakpoint\(\)|(?:import )?i?pdb\b.*)")),
    (_SCRIPT, re.compile(r"^\s*(?:debugger\b|console\.(?:log|debug)\()")),
    (_SCRIPT, re.compile(r"\b(?:describe|it|test)\.only\(|^\s*f(?:describe|it)\(")),
    ((".rb",), re.compile(r"\bbinding\.(?:pry|irb)\b")),
    ((".php",), re.compile(r"^\s*(?:var_dump|dd)\(")),
)


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen: issues, the worst first, and which delicate parts are touched."""

    issues: tuple[Issue, ...] = ()
    security: tuple[str, ...] = ()
    #: Each with its risk and the first of its files.
    areas: tuple[tuple[str, Risk, str], ...] = ()

    @property
    def risk(self) -> Risk:
        """Return the risk that follows from them."""
        found = [risk for _, risk, _ in self.areas]
        found += [issue.severity for issue in self.issues if issue.severity == "high"]
        return max(found, key=RISKS.index, default="low")


def signs(files: Sequence[FileChange]) -> Signs:
    """Look through what is changed."""
    looked = [file for file in files if _is_looked_at(file)]
    leaked, conflicts = [*_leaks(looked)], [*_conflicts(looked)]
    issues = [*leaked, *conflicts, *_drops(looked), *_leftovers(looked)]
    issues += [*_taken_away(looked), *_untested(looked)]
    issues.sort(key=lambda issue: -RISKS.index(issue.severity))
    security = dict.fromkeys(issue.message for issue in leaked)
    return Signs(tuple(issues), tuple(security), tuple(_areas(looked)))


def certain(files: Iterable[FileChange]) -> Signs:
    """Return what must not be merged, whoever says what of it."""
    looked = [file for file in files if _is_looked_at(file)]
    leaked = [issue for issue in _leaks(looked) if issue.severity == "high"]
    security = dict.fromkeys(issue.message for issue in leaked)
    return Signs((*leaked, *_conflicts(looked)), tuple(security))


def _is_looked_at(file: FileChange) -> bool:
    return file.skipped not in ("vendored", "minified")


def _lines(files: Iterable[FileChange]) -> Iterator[tuple[FileChange, int, str]]:
    left = _MOST_CHARACTERS
    for file in files:
        for number, text in file.added():
            left -= len(text) + 1
            if left < 0:
                return
            yield file, number, text


def _leaks(files: Iterable[FileChange]) -> Iterator[Issue]:
    for file, number, text in _lines(files):
        for kind in leaks.found(text):
            message = (
                f"{file.name} adds {kind}: take it out, and replace it everywhere."
            )
            # In a test it is mostly made up, and a name alone is no proof.
            doubtful = file.kind == "test" or kind.startswith("what looks")
            yield Issue(file.path, number, "medium" if doubtful else "high", message)


def _conflicts(files: Iterable[FileChange]) -> Iterator[Issue]:
    for file, number, text in _lines(files):
        if _CONFLICT.match(text):
            message = "A mark of a merge conflict was left in the file."
            yield Issue(file.path, number, "high", message)


def _drops(files: Iterable[FileChange]) -> Iterator[Issue]:
    for file, number, text in _lines(files):
        if file.kind == "source" and _DROPS.search(text[:1_000]):
            message = (
                "Data is dropped: make sure that nobody needs it, and of a way back."
            )
            yield Issue(file.path, number, "high", message)


def _leftovers(files: Iterable[FileChange]) -> Iterator[Issue]:
    for file, number, text in _lines(files):
        lower = file.path.lower()
        for endings, form in _LEFTOVERS:
            if lower.endswith(endings) and form.search(text[:1_000]):
                message = "This looks like a leftover of looking for a fault."
                yield Issue(file.path, number, "low", message)
                break


def _taken_away(files: Iterable[FileChange]) -> Iterator[Issue]:
    for file in files:
        if file.kind == "test" and file.status == "removed":
            yield Issue(file.path, None, "medium", "A file of tests is removed.")
        elif file.deletions >= _MANY and file.deletions > 3 * file.additions:
            message = (
                f"{file.deletions} lines are taken away here, and few come instead."
            )
            yield Issue(file.path, None, "low", message)


def _untested(files: Sequence[FileChange]) -> Iterator[Issue]:
    if any(file.kind == "test" for file in files):
        return
    source = [file for file in files if file.kind == "source" and not file.skipped]
    if sum(file.additions for file in source) > _FEW:
        largest = max(source, key=lambda file: (file.additions, file.path))
        message = "Source is changed, and no test is."
        yield Issue(largest.path, None, "medium", message)


def _areas(files: Iterable[FileChange]) -> Iterator[tuple[str, Risk, str]]:
    found: dict[str, tuple[Risk, str]] = {}
    for file in files:
        if file.kind in ("docs", "test") or file.skipped:
            continue
        for area in _AREAS:
            if area.form.search(file.path.lower()):
                risk: Risk = area.risk if file.lines > _SMALL else "medium"
                known = found.setdefault(area.name, (risk, file.name))
                found[area.name] = (max(known[0], risk, key=RISKS.index), known[1])
    for name, (risk, path) in found.items():
        yield name, risk, path
