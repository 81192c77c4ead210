"""Copies of the project that tests may change, packaged from what was fetched before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from infra import package
from tests.e2e.running import ROOT

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".eventyard", "__pycache__", ".*_cache"
)
_REGISTRY = Path("chalicelib", "jobs", "registry.py")
_FIRST_LINE = "SERVICES: Final[Mapping[str, str]] = {\n"


def copied(folder: Path) -> Path:
    """Copy the project into a folder that is not there yet."""
    # Fetched for the project where that was not done before: each copy links to it.
    dependencies = package._dependencies(print)
    layers = [package._layer(name, print) for name in package.LAYERS]
    shutil.copytree(ROOT, folder, symlinks=True, ignore=_LEFT_OUT)
    build = folder / ".eventyard" / "build"
    shutil.copytree(dependencies, build / dependencies.name, copy_function=os.link)
    for layer in layers:
        shutil.copy(layer, build)
    return folder


def with_service(folder: Path, name: str, module: Path, kind: str) -> Path:
    """Copy the project and add a job service, as docs/howto/add-a-job-service.md says."""
    copy = copied(folder)
    shutil.copy(module, copy / "chalicelib" / "jobs")
    registry = copy / _REGISTRY
    text = registry.read_text()
    assert text.count(_FIRST_LINE) == 1
    line = f'    "{name}": "chalicelib.jobs.{module.stem}:{kind}",\n'
    registry.write_text(text.replace(_FIRST_LINE, _FIRST_LINE + line))
    return copy
