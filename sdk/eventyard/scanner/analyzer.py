"""Read a folder of code as an event flow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eventyard.core.graph.model import Edge, FlowModel, Kind
from eventyard.scanner._calls import Finder
from eventyard.scanner._facts import Progress, Reader
from eventyard.scanner._files import python_files
from eventyard.scanner._model import put_together
from eventyard.scanner._modules import top_of
from eventyard.scanner._outcomes import EventClasses
from eventyard.scanner.detectors import Detector, detectors


class EventFlowAnalyzer:
    """
    Finds who publishes and who listens in the Python files below a folder.

    Files are parsed, never imported or run. `events_dir` is where events are defined
    as classes: its folders are their namespaces. `read_by` are the detectors (see
    `eventyard.scanner.detectors`; all that come with the package). `remember` keeps
    what files said until they change, for who reads them again.
    """

    def __init__(
        self,
        agents_dir: Path | str,
        events_dir: Path | str | None = None,
        *,
        test_agents: Iterable[str] = (),
        read_by: Iterable[Detector] | None = None,
        remember: bool = False,
    ) -> None:
        self.agents_dir = _folder(agents_dir, "agents_dir")
        self.events_dir = _folder(events_dir, "events_dir") if events_dir else None
        self._test_agents = tuple(test_agents)
        self._read_by = tuple(detectors() if read_by is None else read_by)
        self._reader = Reader(Finder(self._read_by), remember=remember)
        self._events = EventClasses()
        self._model: FlowModel | None = None
        #: How many files were looked at last, and how many of them opened.
        self.files = 0

    @property
    def opened(self) -> int:
        """How many files the last analysis opened: those that had changed."""
        return self._reader.opened

    @property
    def model(self) -> FlowModel:
        """The event flow; the folder is read when it was not yet."""
        return self.analyze() if self._model is None else self._model

    def analyze(self, progress: Progress | None = None) -> FlowModel:
        """Read the folder; `progress` hears now and then how many files of how many."""
        root = str(self.agents_dir)
        files = list(python_files(root))
        self.files = len(files)
        facts = self._reader.read(files, top_of(root), progress)
        events = self.events_dir
        classes, problems = self._events.read(str(events), root) if events else ({}, [])
        self._model = put_together(facts, root, classes, problems, self._test_agents)
        return self._model

    def at(self, commit: str) -> FlowModel:
        """Return the event flow of a commit of the repository that holds the folder."""
        from eventyard.scanner._revision import revision

        with revision(self.agents_dir, commit) as (top, copy):
            agents = _moved(self.agents_dir, top, copy)
            events = _moved(self.events_dir, top, copy) if self.events_dir else None
            if not agents.is_dir():
                return FlowModel()
            return EventFlowAnalyzer(
                agents,
                events if events and events.is_dir() else None,
                test_agents=self._test_agents,
                read_by=self._read_by,
            ).analyze()

    @property
    def subscriptions(self) -> dict[str, list[str]]:
        """What each agent listens to; an event stands as often as in the code."""
        return self._by_agent("subscribes")

    @property
    def publications(self) -> dict[str, list[str]]:
        """What each agent publishes; an event stands as often as in the code."""
        return self._by_agent("publishes")

    @property
    def event_to_subscribers(self) -> dict[str, list[str]]:
        """Who listens to each event."""
        return self._by_event("subscribes")

    @property
    def event_to_publishers(self) -> dict[str, list[str]]:
        """Who publishes each event."""
        return self._by_event("publishes")

    def get_all_events(self) -> set[str]:
        """Return the names of all events."""
        return {event.name for event in self.model.events}

    def get_event_chains(self) -> list[list[str]]:
        """Return the ways of events, from those that come from outside to their ends."""
        from eventyard.core.graph.analysis import chains

        return chains(self.model)

    def generate_mermaid(self) -> str:
        """Return the flow as a Mermaid diagram."""
        from eventyard.core.graph.exports import mermaid

        return mermaid(self.model)

    def generate_graphviz(self) -> str:
        """Return the flow in DOT, as the graph type `complete` draws it."""
        from eventyard.core.graph.drawing import draw

        return draw(self.model, "complete")

    def print_summary(self) -> None:
        """Print totals, then both ends of each event, then what each agent does."""
        from eventyard.core.graph.exports import text

        print(text(self.model), end="")  # noqa: T201 - that is what it is for

    def _edges(self, kind: Kind) -> Iterable[Edge]:
        for edge in self.model.edges:
            if edge.kind == kind:
                yield from [edge] * edge.count

    def _by_agent(self, kind: Kind) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for edge in self._edges(kind):
            found.setdefault(edge.agent, []).append(edge.event)
        return found

    def _by_event(self, kind: Kind) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for edge in self._edges(kind):
            found.setdefault(edge.event, []).append(edge.agent)
        return found


def _moved(folder: Path, top: Path, copy: Path) -> Path:
    inside = folder.is_relative_to(top)
    return copy / folder.relative_to(top) if inside else folder


def _folder(value: Any, name: str) -> Path:
    """Return a folder's whole path; raises ValueError if it is none."""
    if not value or not Path(value).is_dir():
        raise ValueError(f"{name} is not a folder: {value}")
    return Path(value).resolve()
