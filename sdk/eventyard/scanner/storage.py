"""Graphs kept in memory, and in a file when one is named; no server needed."""

from __future__ import annotations

import json
import os
import threading
import warnings
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


@dataclass(slots=True)
class GraphData:
    """
    One graph: its type, DOT, SVG if there is one, namespaces and counts.

    `timestamp` is UTC in ISO 8601 without an offset; now, when it is not given.
    """

    graph_type: str
    dot_content: str
    svg_content: str | None = None
    namespaces: list[str] | None = None
    stats: dict[str, int] | None = None
    timestamp: str | None = field(default=None)

    def __post_init__(self) -> None:
        self.timestamp = self.timestamp or _now()
        if self.namespaces is not None:
            self.namespaces = sorted(set(self.namespaces))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> GraphData:
        """Read the JSON shape; what it does not know is left out."""
        known = {name: value[name] for name in cls.__slots__ if name in value}
        return cls(**known)


class GraphStorage:
    """
    The latest graph of each type, for any number of threads.

    With `persist_path`, each change is written to that file before the call returns,
    whole or not at all. A file that cannot be read, or written, is warned of; the
    graphs in memory go on.
    """

    def __init__(self, persist_path: Path | str | None = None) -> None:
        self.persist_path = Path(persist_path) if persist_path else None
        self._lock = threading.RLock()
        self._graphs: dict[str, GraphData] = {}
        if self.persist_path is not None and self.persist_path.exists():
            self._load(self.persist_path)

    def store(self, graph: GraphData) -> None:
        """Keep a graph in place of the one of its type."""
        with self._lock:
            self._graphs[graph.graph_type] = graph
            self._save()

    def get(self, graph_type: str) -> GraphData | None:
        """Return the graph of a type, if there is one."""
        with self._lock:
            return self._graphs.get(graph_type)

    def get_all(self) -> dict[str, GraphData]:
        """Return all graphs by type, in a dictionary of the caller's own."""
        with self._lock:
            return dict(self._graphs)

    def has_graph(self, graph_type: str) -> bool:
        """Tell whether there is a graph of a type."""
        with self._lock:
            return graph_type in self._graphs

    def clear(self, graph_type: str | None = None) -> None:
        """Remove the graph of a type, or all."""
        with self._lock:
            if graph_type is None:
                self._graphs.clear()
            else:
                self._graphs.pop(graph_type, None)
            self._save()

    def get_status(self) -> dict[str, Any]:
        """Return how many graphs there are, whether they persist, and each one's facts."""
        with self._lock:
            return {
                "total_graphs": len(self._graphs),
                "persist_enabled": self.persist_path is not None,
                "persist_path": str(self.persist_path) if self.persist_path else None,
                "graphs": {
                    name: _status(graph) for name, graph in self._graphs.items()
                },
            }

    def _load(self, path: Path) -> None:
        try:
            shapes = json.loads(path.read_text("utf-8"))
            self._graphs = {
                name: GraphData.from_dict(shape) for name, shape in shapes.items()
            }
        except (OSError, ValueError, TypeError, AttributeError) as error:
            warnings.warn(f"{path} was not read: {error}", stacklevel=3)

    def _save(self) -> None:
        if self.persist_path is None:
            return
        shapes = {name: graph.to_dict() for name, graph in self._graphs.items()}
        try:
            _write(self.persist_path, json.dumps(shapes, ensure_ascii=False))
        except OSError as error:
            warnings.warn(f"{self.persist_path} was not written: {error}", stacklevel=3)


def _status(graph: GraphData) -> dict[str, Any]:
    return {
        "timestamp": graph.timestamp,
        "has_svg": graph.svg_content is not None,
        "stats": graph.stats,
        "namespaces": graph.namespaces,
    }


def _write(path: Path, text: str) -> None:
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that the rename replaces at once; synced, so that a crash
    # leaves the old file or the new one.
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


_storage: GraphStorage | None = None
_lock = threading.Lock()


def get_storage(persist_path: Path | str | None = None) -> GraphStorage:
    """Return the process's storage; only the first call's `persist_path` counts."""
    global _storage  # noqa: PLW0603 - one a process is what the name promises
    if _storage is None:
        with _lock:
            if _storage is None:
                _storage = GraphStorage(persist_path)
    return _storage


def reset_storage() -> None:
    """Forget the process's storage; the next `get_storage` makes another."""
    global _storage  # noqa: PLW0603
    with _lock:
        _storage = None
