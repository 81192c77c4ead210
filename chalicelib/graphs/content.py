"""What a scanner pushes: read, checked, and made harmless."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from chalicelib.graphs.names import DEFAULT_PROJECT, DEFAULT_REF, TYPES
from chalicelib.graphs.sanitise import sanitise
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.graph.model import FlowModel
from eventyard.core.wire import dumps

_NAME: Final = re.compile(r"[\w./@ -]{1,128}")
#: Names are part of a key of the table, which is counted in bytes.
_NAME_BYTES: Final = 384
_MOST_NAMESPACES: Final = 1_000
_MOST_STATS: Final = 100
_LONGEST: Final = 256
_LARGEST_COUNT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Place:
    """Which graph: of a project, of a branch or tag of it, of one type."""

    project: str
    ref: str
    type: str


def named(project: Any, ref: Any) -> tuple[str, str]:
    """Return the names of a project and a ref; raises InvalidRequestError."""
    return _name("project", project), _name("ref", ref)


def _name(what: str, value: Any) -> str:
    if (
        not isinstance(value, str)
        or not _NAME.fullmatch(value)
        or len(value.encode()) > _NAME_BYTES
    ):
        raise InvalidRequestError(
            f"{what} must be 1 to 128 letters, digits or ./@_- and spaces."
        )
    return value


@dataclass(frozen=True)
class Content:
    """One graph as it is kept; equal ones are one version."""

    dot: str
    svg: str | None
    namespaces: list[str]
    stats: dict[str, int]
    #: As `FlowModel.to_dict` writes it; None: there is nothing but the DOT.
    model: dict[str, Any] | None
    anomalies: dict[str, Any] | None

    @cached_property
    def text(self) -> str:
        """Return the JSON text that is kept."""
        return dumps(
            {
                "dot_content": self.dot,
                "svg_content": self.svg,
                "namespaces": self.namespaces,
                "stats": self.stats,
                "model": self.model,
                "anomalies": self.anomalies,
            }
        )

    @cached_property
    def digest(self) -> str:
        """Return a name for the content, which equal ones share."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def flow(self) -> FlowModel:
        """Return the model: what was pushed, else what the DOT tells."""
        if self.model is not None:
            return FlowModel.from_dict(self.model)
        return read_dot(self.dot)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Content:
        """Read what `text` wrote."""
        return cls(
            dot=kept["dot_content"],
            svg=kept["svg_content"],
            namespaces=kept["namespaces"],
            stats=kept["stats"],
            model=kept["model"],
            anomalies=kept["anomalies"],
        )


@dataclass(frozen=True, slots=True)
class Push:
    """A graph on its way in: where it goes, and what it holds."""

    place: Place
    content: Content
    commit: str | None


def read_push(body: Any) -> Push:
    """
    Read a push; raises InvalidRequestError in the order that callers rely on.

    Without `namespaces` and `stats` the model tells them.
    """
    graph_type = check_type(body)
    dot = body["dot_content"]
    if not isinstance(dot, str) or not dot.strip():
        raise InvalidRequestError("dot_content must be a text of DOT.")
    project, ref = named(
        body.get("project", DEFAULT_PROJECT), body.get("ref", DEFAULT_REF)
    )
    model = body.get("model")
    flow = FlowModel.from_dict(model) if model is not None else read_dot(dot)
    content = Content(
        dot=dot,
        svg=_svg(body.get("svg_content")),
        namespaces=_namespaces(body.get("namespaces"), flow),
        stats=_stats(body.get("stats"), flow),
        model=None if model is None else flow.to_dict(),
        anomalies=_object(body.get("anomalies"), "anomalies"),
    )
    place = Place(project, ref, graph_type)
    return Push(place, content, _text(body.get("commit"), "commit"))


def check_type(body: Any) -> str:
    """Return the graph type of a push that has all it needs."""
    if not body:
        raise InvalidRequestError("No JSON payload provided")
    if not isinstance(body, Mapping):
        raise InvalidRequestError("The JSON payload must be an object.")
    for name in ("graph_type", "dot_content"):
        if name not in body:
            raise InvalidRequestError(f"Missing required field: {name}")
    graph_type = body["graph_type"]
    if graph_type not in TYPES:
        raise InvalidRequestError(
            f"Invalid graph_type. Must be one of: {', '.join(TYPES)}"
        )
    return str(graph_type)


def read_dot(dot: str) -> FlowModel:
    """Return what a DOT text tells of a flow; of one that is none, nothing."""
    from eventyard.core.graph.reading import read_dot as read

    try:
        return read(dot)
    except EventRouterError:
        return FlowModel()


def _svg(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidRequestError("svg_content must be a text of SVG.")
    return sanitise(value)


def _namespaces(value: Any, flow: FlowModel) -> list[str]:
    if value is None:
        return flow.namespaces()[:_MOST_NAMESPACES]
    if not isinstance(value, list) or len(value) > _MOST_NAMESPACES:
        raise InvalidRequestError(
            f"namespaces must be a list of at most {_MOST_NAMESPACES} names."
        )
    for name in value:
        if not isinstance(name, str) or len(name) > _LONGEST:
            raise InvalidRequestError(
                f"Each of namespaces must be a text of up to {_LONGEST} characters."
            )
    return sorted(set(value))


def _stats(value: Any, flow: FlowModel) -> dict[str, int]:
    if value is None:
        return flow.stats()
    stats = _object(value, "stats") or {}
    if len(stats) > _MOST_STATS:
        raise InvalidRequestError(f"stats may have {_MOST_STATS} members.")
    for name, count in stats.items():
        if type(count) is not int or abs(count) > _LARGEST_COUNT:
            raise InvalidRequestError(f"stats.{name:.60} must be a whole number.")
        if len(name) > _LONGEST:
            raise InvalidRequestError(
                f"Names of stats may have {_LONGEST} characters, not {len(name)}."
            )
    return dict(sorted(stats.items()))


def _object(value: Any, name: str) -> dict[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    raise InvalidRequestError(f"{name} must be an object.")


def _text(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise InvalidRequestError(
            f"{name} must be a text of up to {_LONGEST} characters."
        )
    return value
