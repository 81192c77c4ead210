"""What an analyst is told of a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.pulls.patches import FileChange


@dataclass(frozen=True, slots=True)
class Request:
    """
    A pull request to be read.

    Its texts were written by strangers.
    """

    repository: str
    number: int
    sha: str
    title: str
    description: str
    author: str
    branch: str
    base: str
    additions: int
    deletions: int
    #: None: nobody told how many.
    changed_files: int | None
    #: None: they are not known.
    files: tuple[FileChange, ...] | None
    #: What came since `previous` was said of an earlier commit; None: read it all.
    fresh: tuple[FileChange, ...] | None = None
    previous: Mapping[str, Any] | None = None
    #: How the event flow changes, where both sides were scanned.
    flow: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        pull: Mapping[str, Any],
        files: tuple[FileChange, ...] | None,
        **more: Any,
    ) -> Request:
        """Make one of the state of a pull request."""
        return cls(
            repository=pull["repository_name"],
            number=pull["pr_number"],
            sha=str(pull.get("commit_sha") or ""),
            title=str(pull.get("title") or ""),
            description=str(pull.get("description") or ""),
            author=str(pull.get("author") or ""),
            branch=str(pull.get("branch_name") or ""),
            base=str(pull.get("base_branch") or ""),
            additions=int(pull.get("additions") or 0),
            deletions=int(pull.get("deletions") or 0),
            changed_files=pull.get("changed_files"),
            files=files,
            **more,
        )

    @property
    def tests_touched(self) -> bool | None:
        """Tell whether tests are changed; None: files are not known."""
        if self.files is None:
            return None
        return any(file.kind == "test" for file in self.files)
