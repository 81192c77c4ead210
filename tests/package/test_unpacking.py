"""The emulator's workers share what they unpack; nothing unused is left."""

from __future__ import annotations

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.ministack import SharedZip


@pytest.fixture
def scratch(tmp_path) -> Path:
    return tmp_path / "scratch"


def zipped(path: Path, text: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("package/module.py", text)
    return path


def unpack(source: Path, scratch: Path, worker: str) -> Path:
    """Do as the emulator does for a worker."""
    code = scratch / f"ministack-lambda-{worker}" / "code"
    code.mkdir(parents=True)
    with SharedZip(source) as archive:
        archive.extractall(code)
    return code


def test_two_workers_at_once_share_the_same_files(tmp_path, scratch):
    source = zipped(tmp_path / "code.zip", "a = 1")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda name: unpack(source, scratch, name), "ab")

    assert (first / "package" / "module.py").read_text() == "a = 1"
    assert first.resolve() == second.resolve()


def test_a_worker_that_goes_leaves_the_files_to_the_others(tmp_path, scratch):
    source = zipped(tmp_path / "code.zip", "a = 1")
    first, second = (unpack(source, scratch, name) for name in "ab")

    shutil.rmtree(first.parent)

    assert (second / "package" / "module.py").read_text() == "a = 1"


def test_other_code_is_unpacked_beside_and_what_nobody_uses_goes(tmp_path, scratch):
    old = unpack(zipped(tmp_path / "old.zip", "a = 1"), scratch, "a")
    unused = old.resolve()

    new = unpack(zipped(tmp_path / "new.zip", "a = 2"), scratch, "b")
    beside = old.resolve().exists()
    shutil.rmtree(old.parent)
    newest = unpack(zipped(tmp_path / "newest.zip", "a = 3"), scratch, "c")

    assert beside
    assert not unused.exists()
    assert (new / "package" / "module.py").read_text() == "a = 2"
    assert (newest / "package" / "module.py").read_text() == "a = 3"
