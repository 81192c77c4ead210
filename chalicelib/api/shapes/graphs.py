"""Event-flow graphs: what is pushed, and what is told of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from chalicelib.api.shapes._base import Answer, Body

GraphType = Literal["simplified", "complete", "full-tree"]


class GraphFault(Answer):
    """What went wrong."""

    error: str = Field(
        description="What is wrong, and what to do.",
        examples=['Graph type "complete" not found in cache'],
    )


class NewGraph(Body):
    """
    A graph as a scanner sends it, or the key of an upload that holds one.

    Other fields are not looked at.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    graph_type: GraphType | None = None
    dot_content: str | None = Field(
        default=None, examples=["digraph { order_placed -> billing }"]
    )
    svg_content: str | None = Field(
        default=None, description="A drawing of it; kept without what could do harm."
    )
    namespaces: list[str] | None = Field(
        default=None, description="By default those that the model tells."
    )
    stats: dict[str, int] | None = Field(
        default=None, examples=[{"events": 10, "agents": 5, "connections": 20}]
    )
    model: dict[str, Any] | None = Field(
        default=None,
        description="Events, agents and edges with where they stand in the code; "
        "without it the DOT is read.",
    )
    anomalies: dict[str, Any] | None = None
    project: str | None = Field(default="default", min_length=1, max_length=128)
    ref: str | None = Field(
        default="main",
        min_length=1,
        max_length=128,
        description="A branch or tag.",
    )
    commit: str | None = Field(default=None, max_length=256)
    upload: str | None = Field(
        default=None,
        description="The key of an upload; its content stands for all other fields.",
    )


class Pushed(Answer):
    """A graph that was taken."""

    status: Literal["success"]
    graph_type: GraphType
    timestamp: str = Field(
        description="When this version came: UTC, ISO 8601 without a zone.",
        examples=["2026-01-31T12:00:00.000000"],
    )
    version: int
    unchanged: bool = Field(
        description="Whether it is the newest version already; no new one was made."
    )


class NewUpload(Body):
    """How large the upload will be."""

    size: int | None = Field(
        default=None,
        ge=1,
        description="In bytes; with it nothing of another size is taken.",
    )


class Upload(Answer):
    """Where the body of a push can be put when it is too large for a request."""

    upload: str = Field(description='What to push then: `{"upload": ...}`.')
    method: Literal["PUT"]
    url: str
    headers: dict[str, str] = Field(description="What the PUT must be sent with.")
    expires_in: int = Field(description="In seconds.")
    max_bytes: int


class GraphVersion(Answer):
    """One version of a graph without its content."""

    timestamp: str = Field(description="UTC, ISO 8601 without a zone.")
    has_svg: bool = Field(description="Whether a drawing was pushed with it.")
    stats: dict[str, int]
    namespaces: list[str]
    version: int
    etag: str
    project: str
    ref: str
    commit: str | None
    bytes: int = Field(description="How large the content is.")


class GraphStatus(Answer):
    """Which graphs a ref of a project has."""

    total_graphs: int
    persist_enabled: Literal[True]
    graphs: dict[str, GraphVersion]


class Graph(GraphVersion):
    """All that is known of one version."""

    graph_type: GraphType
    dot_content: str
    svg_content: str | None
    model: dict[str, Any]
    anomalies: dict[str, Any] | None


class Cleared(Answer):
    """What was deleted."""

    status: Literal["success"]
    message: str


class GraphVersions(Answer):
    """One page of versions, newest first."""

    versions: list[GraphVersion]
    cursor: str | None = Field(
        description="Where the next page begins; null at the end."
    )


class Newest(Answer):
    """The newest version of a graph."""

    version: int
    timestamp: str


class GraphRef(Answer):
    """The graphs of a ref, by their type."""

    ref: str
    graphs: dict[str, Newest]


class Project(Answer):
    """A project with its refs."""

    project: str
    refs: list[GraphRef]


class Projects(Answer):
    """All projects that there are graphs of."""

    projects: list[Project]


class Compared(Answer):
    """A version that is compared."""

    ref: str
    version: int
    timestamp: str
    commit: str | None


class Changes(Answer):
    """What came, went or changed, by what it is."""

    events: list[dict[str, Any]]
    agents: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class GraphDiff(Answer):
    """What is different between two versions."""

    graph_type: GraphType
    project: str
    base: Compared | None = Field(
        description="Null where the first version is compared with nothing."
    )
    head: Compared
    empty: bool = Field(description="Whether nothing is different.")
    added: Changes
    removed: Changes
    changed: Changes


class Analysis(Compared):
    """What is odd about a version, and how its events lead to each other."""

    graph_type: GraphType
    project: str
    anomalies: dict[str, Any]
    entries: list[str] = Field(description="Listened to, and published by nobody.")
    terminals: list[str] = Field(description="Published, and listened to by nobody.")
    cycles: list[list[str]] = Field(
        description="Names of events and agents in turn, an event first."
    )
    chains: list[list[str]] = Field(description="Ways from entry events, by names.")


class Impact(Compared):
    """Whom a change of an event concerns."""

    impact: dict[str, Any]


class Filter(Body):
    """Which part of a graph is wanted."""

    namespaces: list[str] | None = Field(
        default=None, description="None at all is an empty graph; all without it."
    )
    keywords: list[str] | None = Field(
        default=None, description="What is left out by its name, whatever the case."
    )
