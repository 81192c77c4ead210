from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from eventyard.scanner import EventFlowAnalyzer


def edges_of(model, kind):
    """(agent, event) of a kind, each as often as in the code."""
    return sorted(
        (edge.agent, edge.event)
        for edge in model.edges
        if edge.kind == kind
        for _ in range(edge.count)
    )


@pytest.fixture
def write(tmp_path):
    """Writes files below a folder of their own; returns it."""
    root = tmp_path / "code"
    root.mkdir()

    def files(**sources: str) -> Path:
        for name, source in sources.items():
            path = root / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), "utf-8")
        return root

    return files


@pytest.fixture
def flow(write):
    """The published and the subscribed events of one file's source, sorted."""

    def read(source: str, **others: str):
        model = EventFlowAnalyzer(write(code=source, **others)).analyze()
        published = sorted({event for _, event in edges_of(model, "publishes")})
        heard = sorted({event for _, event in edges_of(model, "subscribes")})
        return published, heard

    return read
