"""Scan a folder and push its event flow to a platform, once or again and again."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import EventRouterError
from eventyard.core.graph.model import FlowModel
from eventyard.scanner._pushing import Pusher, encoded
from eventyard.scanner.analyzer import EventFlowAnalyzer
from eventyard.scanner.detectors import Detector

if TYPE_CHECKING:
    from eventyard.core.graph.style import Style

#: The graph types in the order in which they are pushed.
GRAPH_TYPES: Final = ("simplified", "complete", "full-tree")


def _complain(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - as the seed's scanner does


class EventFlowScanner:
    """
    Reads `agents_dir` and pushes the three graphs of it to `api_url`.

    `events_dir` is where events are classes, `interval` the seconds between two scans
    of `run_continuous`. `project` and `ref` say whose graphs these are; `api_key` is
    `EVENTYARD_API_KEY` when not given. `tell` hears, in one line each, what failed.

    Raises:
        ValueError: a folder is not there.
    """

    def __init__(  # noqa: PLR0913
        self,
        agents_dir: Path | str,
        events_dir: Path | str | None = None,
        api_url: str = "http://localhost:5555",
        interval: float | None = None,
        *,
        project: str = "default",
        ref: str = "main",
        api_key: str | None = None,
        test_agents: Iterable[str] = (),
        read_by: Iterable[Detector] | None = None,
        style: Style | None = None,
        tell: Callable[[str], None] = _complain,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.analyzer = EventFlowAnalyzer(
            agents_dir,
            events_dir,
            test_agents=test_agents,
            read_by=read_by,
            remember=interval is not None,
        )
        self.api_url = api_url.rstrip("/")
        self.interval = interval
        self.project, self.ref = project, ref
        self._style = style
        self._tell, self._sleep = tell, sleep
        key = os.environ.get("EVENTYARD_API_KEY", "") if api_key is None else api_key
        self._pusher = Pusher(self.api_url, key, sleep=sleep)
        #: What was pushed last of each type, as a hash of its content.
        self._pushed: dict[str, str] = {}
        #: The types that the platform had already, of the last scan.
        self.unchanged: set[str] = set()

    def scan_once(self) -> dict[str, bool]:
        """
        Read the folder and push each type; return by type whether the platform has it.

        A type that could not be pushed is told of, and the others are pushed; what
        the last scan of this scanner pushed is not pushed again.
        """
        return self.push(self.analyzer.analyze())

    def push(self, model: FlowModel) -> dict[str, bool]:
        """Push the graphs of a model, as `scan_once` does."""
        self.unchanged.clear()
        return {kind: self._delivered(kind, model) for kind in GRAPH_TYPES}

    def run_continuous(self) -> None:
        """
        Scan every `interval` seconds until Ctrl-C, whatever goes wrong on the way.

        Raises:
            ValueError: the scanner was made without an interval.
        """
        if not self.interval:
            raise ValueError("run_continuous needs an interval in seconds.")
        try:
            while True:
                self._turn()
                self._sleep(self.interval)
        except KeyboardInterrupt:
            return

    def _turn(self) -> None:
        try:
            results = self.scan_once()
        except Exception as error:  # noqa: BLE001 - the next turn may do better
            self._tell(f"the scan failed: {error}")
            return
        self._tell(f"{sum(results.values())}/{len(results)} graphs are up to date")

    def draw(self, kind: str, model: FlowModel) -> str:
        """Return a graph type in DOT, as the configuration has it look."""
        from eventyard.core.graph.drawing import draw
        from eventyard.core.graph.style import PLAIN

        return draw(model, kind, style=self._style or PLAIN)

    def summary(self, model: FlowModel) -> dict[str, Any]:
        """Return what is pushed beside the drawings: the model and what is odd in it."""
        from eventyard.core.graph.analysis import anomalies
        from eventyard.scanner._git import checkout

        commit = checkout(self.analyzer.agents_dir).commit
        return {
            "project": self.project,
            "ref": self.ref,
            **({"commit": commit} if commit else {}),
            "namespaces": model.namespaces(),
            "stats": model.stats(),
            "anomalies": anomalies(model),
            "model": model.to_dict(),
        }

    def _delivered(self, kind: str, model: FlowModel) -> bool:
        try:
            drawn = {"graph_type": kind, "dot_content": self.draw(kind, model)}
            graph = {**drawn, **self.summary(model)}
            known = _content(graph)
            if self._pushed.get(kind) == known:
                self.unchanged.add(kind)
                return True
            answer = self._pusher.push(graph)
        except (EventRouterError, OSError, ValueError) as error:
            self._tell(f"{kind} was not pushed: {error}")
            return False
        self._pushed[kind] = known
        if answer.get("unchanged"):
            self.unchanged.add(kind)
        return True


def _content(graph: dict[str, Any]) -> str:
    # A new commit alone is nothing new.
    body = {name: value for name, value in graph.items() if name != "commit"}
    return hashlib.sha256(encoded(body)).hexdigest()
