"""What a repository says of itself, read from its files: no program is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40,64}")
_MOST_LINKS = 5


@dataclass(frozen=True, slots=True)
class Checkout:
    """The branch and the commit that are checked out; None where there is none."""

    branch: str | None = None
    commit: str | None = None


def checkout(folder: Path) -> Checkout:
    """Return what is checked out where a folder lies."""
    git = _git_folder(folder)
    head = _text(git / "HEAD") if git else ""
    if git is None or not head.startswith("ref:"):
        return Checkout(None, head if _HASH.fullmatch(head) else None)
    name = head.removeprefix("ref:").strip()
    branch = name.removeprefix("refs/heads/")
    return Checkout(branch, _commit(git, name))


def _git_folder(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            # A worktree, or a submodule: a file that says where the folder is.
            named = _text(git).removeprefix("gitdir:").strip()
            return place / named if named else None
    return None


def _commit(git: Path, name: str) -> str | None:
    for _ in range(_MOST_LINKS):
        value = _ref(git, name)
        if not value.startswith("ref:"):
            return value if _HASH.fullmatch(value) else None
        name = value.removeprefix("ref:").strip()
    return None


def _ref(git: Path, name: str) -> str:
    shared = _text(git / "commondir")
    for place in (git, git / shared) if shared else (git,):
        if value := _text(place / name) or _packed(place, name):
            return value
    return ""


def _packed(git: Path, name: str) -> str:
    for line in _text(git / "packed-refs").splitlines():
        value, _, named = line.partition(" ")
        if named == name:
            return value
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""
