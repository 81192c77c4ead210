"""
MiniStack, save that its workers share what they unpack.

It unpacks code and layers anew for each worker: half a second in which it answers
nobody, and thousands of files to delete. On Lambda nobody writes there either.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any, Final

_ALONE: Final = threading.Lock()
_UNPACKED: Final = "unpacked-"


class SharedZip(zipfile.ZipFile):
    """A zip of which everybody gets a link to the same unpacked files."""

    def extractall(
        self, path: Any = None, members: Any = None, pwd: Any = None
    ) -> None:
        """Put a link in the place of the empty folder that was made for the files."""
        del members, pwd
        link = Path(path)
        folder = link.parent.parent
        with _ALONE:
            shared = folder / f"{_UNPACKED}{self._digest()}"
            if not shared.exists():
                _forget_unused(folder)
                self._unpack(shared)
            link.rmdir()
            link.symlink_to(shared, target_is_directory=True)

    def _digest(self) -> str:
        held = [(info.filename, info.CRC) for info in self.infolist()]
        return hashlib.sha256(repr(held).encode()).hexdigest()[:24]

    def _unpack(self, shared: Path) -> None:
        unfinished = Path(tempfile.mkdtemp(dir=shared.parent))
        super().extractall(unfinished)
        unfinished.rename(shared)


def _forget_unused(folder: Path) -> None:
    # A platform that is edited all day must not fill the disk.
    links = folder.glob("ministack-lambda-*/*")
    used = {str(link.readlink()) for link in links if link.is_symlink()}
    for old in folder.glob(f"{_UNPACKED}*"):
        if str(old) not in used:
            shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    """Run MiniStack with the one change."""
    from ministack import app  # type: ignore[import-untyped]
    from ministack.core import lambda_runtime  # type: ignore[import-untyped]

    changed = {**vars(zipfile), "ZipFile": SharedZip}
    lambda_runtime.zipfile = types.SimpleNamespace(**changed)
    app.main()


if __name__ == "__main__":
    main()
