"""Graphs written to files."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from eventyard.core.graph.drawing import draw
from eventyard.scanner.analyzer import EventFlowAnalyzer

_SECONDS: Final = 30


def generate_hierarchical_tree(
    analyzer: EventFlowAnalyzer,
    output_path: Path | str,
    format: str = "png",  # noqa: A002
) -> Path:
    """
    Write the graph type `full-tree`; return the file that was written.

    `dot` is written as text. Other formats need Graphviz's program `dot`: where there
    is none, or it fails, the text goes into a `.dot` file beside.
    """
    return _written(draw(analyzer.model, "full-tree"), Path(output_path), format)


def generate_simplified_tree(
    analyzer: EventFlowAnalyzer,
    output_path: Path | str,
    format: str = "png",  # noqa: A002
) -> Path:
    """Write the graph type `simplified`, as `generate_hierarchical_tree` does."""
    return _written(draw(analyzer.model, "simplified"), Path(output_path), format)


def _written(dot: str, path: Path, kind: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind != "dot" and _rendered(dot, path, kind):
        return path
    beside = path if kind == "dot" else path.with_suffix(".dot")
    beside.write_text(dot, "utf-8")
    return beside


def _rendered(dot: str, path: Path, kind: str) -> bool:
    import shutil

    program = shutil.which("dot")
    if program is None or not kind.isalnum():
        return False
    command = [program, f"-T{kind}", "-o", str(path.resolve())]
    try:
        subprocess.run(  # noqa: S603 - Graphviz, with nothing of the graph in its words
            command,
            input=dot.encode(),
            check=True,
            timeout=_SECONDS,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True
