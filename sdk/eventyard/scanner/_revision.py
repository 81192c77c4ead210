"""A repository as it was at some commit, in a folder that goes away again."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from eventyard.core.errors import InvalidRequestError, NotFoundError

_SECONDS: Final = 60
_PYTHON: Final = ":(glob)**/*.py"


@contextmanager
def revision(folder: Path, ref: str) -> Iterator[tuple[Path, Path]]:
    """
    Put the Python files of a commit into a folder; yield the repository's and that one.

    Raises NotFoundError if there is no such commit, and InvalidRequestError where
    there is no repository or no git.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    if ref.startswith("-"):
        raise NotFoundError(f"There is neither a file nor a commit {ref!r}.")
    with TemporaryDirectory(prefix="eventyard-") as name:
        packed = Path(name, "files.tar")
        packed.write_bytes(_archive(top, ref))
        place = Path(name, "files")
        # A `.git` ends the way up on which imports are looked for.
        place.joinpath(".git").mkdir(parents=True)
        with tarfile.open(packed) as archive:
            archive.extractall(place, filter="data")
        yield top, place.resolve()


def _archive(top: Path, ref: str) -> bytes:
    try:
        return _git(top, "archive", "--format=tar", ref, "--", _PYTHON)
    except InvalidRequestError as error:
        raise NotFoundError(
            f"There is neither a file {ref!r}, nor a commit of that name with Python "
            f"in it: {error}"
        ) from None


def _git(folder: Path, *words: str) -> bytes:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(  # noqa: S603 - git, with names that are no options
            command, capture_output=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidRequestError(f"git could not be run: {error}") from None
    if done.returncode:
        raise InvalidRequestError(done.stderr.decode(errors="replace").strip())
    return done.stdout
