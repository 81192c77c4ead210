"""Which files of a folder are somebody's own code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NOT_OURS: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True)
class _Rules:
    """A `.gitignore`: its patterns hold for what lies below its folder."""

    start: int
    spec: GitIgnoreSpec

    def decide(self, path: str) -> bool | None:
        """Tell whether to leave a path out; None if no pattern speaks of it."""
        return self.spec.check_file(path[self.start :]).include


def python_files(root: str) -> Iterator[str]:
    """
    Yield the Python files below a folder, in a steady order.

    Left out are hidden folders, virtual environments, what a `.gitignore` there or
    further up in the repository leaves out, and folders seen before: a link may lead
    in a circle.
    """
    root = os.path.abspath(root)  # noqa: PTH100 - strings, for speed
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[str, tuple[_Rules, ...]]] = [(root, _from_above(root))]
    while waiting:
        folder, rules = waiting.pop()
        try:
            state = os.stat(folder)  # noqa: PTH116 - for speed
            entries = sorted(os.scandir(folder), key=_name)
        except OSError:
            continue
        if (state.st_dev, state.st_ino) in seen or _is_environment(entries):
            continue
        seen.add((state.st_dev, state.st_ino))
        rules = _with_own(rules, folder, entries)
        yield from _files(entries, rules)
        waiting += reversed([(f, rules) for f in _folders(entries, rules)])


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_environment(entries: list[os.DirEntry[str]]) -> bool:
    return any(entry.name == "pyvenv.cfg" for entry in entries)


def _files(entries: list[os.DirEntry[str]], rules: tuple[_Rules, ...]) -> Iterator[str]:
    for entry in entries:
        if not entry.name.endswith(".py") or not entry.is_file():
            continue
        if not _ignored(entry.path, rules):
            yield entry.path


def _folders(
    entries: list[os.DirEntry[str]], rules: tuple[_Rules, ...]
) -> Iterator[str]:
    for entry in entries:
        name = entry.name
        if name[0] == "." or name in _NOT_OURS or not entry.is_dir():
            continue
        if not _ignored(f"{entry.path}/", rules):
            yield entry.path


def _ignored(path: str, rules: tuple[_Rules, ...]) -> bool:
    # The file nearest to a path has the last word.
    for one in reversed(rules):
        decided = one.decide(path)
        if decided is not None:
            return decided
    return False


def _with_own(
    rules: tuple[_Rules, ...], folder: str, entries: list[os.DirEntry[str]]
) -> tuple[_Rules, ...]:
    if any(entry.name == ".gitignore" for entry in entries):
        return (*rules, *_read(folder))
    return rules


def _from_above(root: str) -> tuple[_Rules, ...]:
    """Return the rules of the folders above, up to the repository's own folder."""
    if os.path.exists(os.path.join(root, ".git")):  # noqa: PTH110, PTH118
        return ()
    found: list[_Rules] = []
    for folder in Path(root).parents:
        found = [*_read(str(folder)), *found]
        if (folder / ".git").exists():
            # Who names a folder that is left out means that folder.
            return () if _ignored(f"{root}/", tuple(found)) else tuple(found)
    return ()


def _read(folder: str) -> tuple[_Rules, ...]:
    from pathspec import GitIgnoreSpec

    try:
        text = Path(folder, ".gitignore").read_text("utf-8", "replace")
        spec = GitIgnoreSpec.from_lines(text.splitlines())
    except (OSError, ValueError):
        return ()
    return (_Rules(len(folder.rstrip("/")) + 1, spec),)
