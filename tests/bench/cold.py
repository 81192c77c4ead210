"""How long a new process takes until the application is imported."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from infra.package import ROOT, package

_ROUNDS = 15
_MODEL = "import pydantic\nclass M(pydantic.BaseModel):\n    a: int\n"


def measure() -> dict[str, Any]:
    """
    Import each in fresh processes, turn by turn, and take the medians.

    Ours comes from the packaged zip, as Lambda would see it: unpacked, with the
    bytecode it holds, and no folder of this machine on the path.
    """
    with tempfile.TemporaryDirectory() as folder:
        artefact = package(lambda _: None, Path(folder) / "out")
        with zipfile.ZipFile(artefact.zip_path) as archive:
            archive.extractall(Path(folder) / "code")
        code = str(Path(folder) / "code")
        peers = str(ROOT)
        cases = {
            "python alone": ("pass", ""),
            "import chalice": ("import chalice", ""),
            "chalice + pydantic": (f"import chalice\n{_MODEL}", ""),
            "eventyard: import app (packaged)": ("import app", code),
            "FastAPI + Mangum, same routes": ("import tests.bench.peer_app", peers),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(_ROUNDS):
            for name, (script, path) in cases.items():
                times[name].append(_once(script, path))
    medians = {name: statistics.median(ms) for name, ms in times.items()}
    ours = medians["eventyard: import app (packaged)"]
    figures: dict[str, Any] = {f"{name}, ms": ms for name, ms in medians.items()}
    for other in ("chalice + pydantic", "FastAPI + Mangum, same routes"):
        figures[f"eventyard / {other}"] = f"{ours / medians[other]:.2f}"
    return figures


def _once(script: str, path: str) -> float:
    environment = {**os.environ, "PYTHONPATH": path}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, cwd="/")
    return (time.perf_counter() - started) * 1000
