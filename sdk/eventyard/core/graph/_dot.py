"""DOT, as text: quoting, and the lines of nodes and edges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from eventyard.core.graph.model import AgentNode, Edge, EventNode
from eventyard.core.graph.palette import AGENT_FILL, text_colour
from eventyard.core.graph.style import Style

# What neither DOT nor XML can hold.
_BARRED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[\n\x20\x21\x23-\x5b\x5d-\x7e\xa0-\ud7ff]*+")
# What would end a class, or the attribute that holds it.
_UNCLASSY = re.compile("[\x00-\x20\x7f%\"\\\\&<>']")
_PREFIX: Final = {"publishes": "pub", "subscribes": "sub"}
_NODE: Final = (
    'shape=box style="filled,rounded" color="#cccccc" margin="0.2,0.08"'  # text fits
)
_EDGE: Final = 'arrowsize=0.8 color="#999999"'
FAILED, REJECTED = "#c62828", "#b26a00"


def quoted(text: str) -> str:
    """Return a DOT string; what no drawing can hold becomes U+FFFD."""
    if _PLAIN.fullmatch(text) is None:
        text = _BARRED.sub("\ufffd", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def worded(text: str) -> str:
    """Return a DOT string for labels and ids, where `&` begins an entity."""
    return quoted(text.replace("&", "&amp;"))


def told(text: str) -> str:
    """Return a DOT string for tooltips, which stays on one line."""
    return worded(text).replace("\n", "\\n")


def namespace_class(namespace: str) -> str:
    """Return the class that tells a node's namespace: `namespace-billing`."""
    return "namespace-" + _UNCLASSY.sub(_percent, namespace)


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def attributes(pairs: Mapping[str, str]) -> str:
    """Return `[a=b c=d]` of values that are quoted already."""
    return "[" + " ".join([f"{name}={value}" for name, value in pairs.items()]) + "]"


def event_id(name: str) -> str:
    """Return the id of an event in DOT and SVG."""
    return f"event:{name}"


def agent_id(identity: str) -> str:
    """Return the id of an agent in DOT and SVG."""
    return f"agent:{identity}"


def edge_id(edge: Edge) -> str:
    """Return the id of an edge, read in the direction of its arrow."""
    if edge.kind == "publishes":
        return f"pub:{edge.agent}|{edge.event}"
    return f"sub:{edge.event}|{edge.agent}"


class Painter:
    """Writes the lines of a drawing in one style."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._fills: dict[str, tuple[str, str]] = {}

    def head(self, **graph: str) -> list[str]:
        """Return the first lines; `graph` are attributes of the whole, as quoted."""
        font = quoted(self._style.font)
        drawn = {"rankdir": "TB", "fontname": font, "fontsize": "11", **graph}
        return [
            "digraph EventFlow {",
            f"  graph {attributes(drawn)};",
            f"  node [{_NODE} fontname={font} fontsize=10];",
            f"  edge [{_EDGE} fontname={font} fontsize=9];",
        ]

    def event(
        self, event: EventNode, tooltip: str = "", *, key: str = "", **more: str
    ) -> str:
        """Return the line of an event; `key` is its id where it stands repeatedly."""
        fill, text = self._fill(event.namespace)
        shown = {
            "label": worded(event.name),
            "shape": self._style.shapes.get(event.namespace, "ellipse"),
            "fillcolor": f'"{fill}"',
            "fontcolor": f'"{text}"',
        }
        if event.failed or event.rejected:
            shown["color"] = f'"{FAILED if event.failed else REJECTED}"'
            shown["penwidth"] = "1.5"
        return self._node(
            key or event_id(event.name), event_classes(event), shown, tooltip, more
        )

    def agent(
        self, agent: AgentNode, tooltip: str = "", *, key: str = "", **more: str
    ) -> str:
        """Return the line of an agent; `key` is its id where it stands repeatedly."""
        shown = {
            "label": worded(agent.label or agent.id),
            "fillcolor": f'"{AGENT_FILL}"',
            "fontcolor": '"#000000"',
        }
        return self._node(
            key or agent_id(agent.id), agent_classes(agent), shown, tooltip, more
        )

    def edge(
        self, edge: Edge, ends: tuple[str, str], tooltip: str = "", **more: str
    ) -> str:
        """Return the line of an edge between the nodes of two ids."""
        shown = {
            "id": worded(edge_id(edge)),
            "class": f'"{edge.kind}"',
            "tooltip": told(tooltip),
            **more,
        }
        if edge.count > 1:
            shown["count"] = str(edge.count)
        return f"  {quoted(ends[0])} -> {quoted(ends[1])} {attributes(shown)};"

    def circle(self, name: str, fill: str) -> str:
        """Return the line of `START` or `END`."""
        return (
            f'  {name} [label="{name}" id="{name}" class="{name.lower()}" shape=circle '
            f'style=filled fillcolor="{fill}" fontcolor="{text_colour(fill)}" '
            f'tooltip="{name}"];'
        )

    def _node(
        self,
        key: str,
        classes: Iterable[str],
        shown: dict[str, str],
        tooltip: str,
        more: dict[str, str],
    ) -> str:
        named = {"id": worded(key), "class": f'"{" ".join(classes)}"'}
        shown["tooltip"] = told(tooltip)
        return f"  {quoted(key)} {attributes(named | shown | more)};"

    def _fill(self, namespace: str) -> tuple[str, str]:
        known = self._fills.get(namespace)
        if known is None:
            fill = self._style.colour(namespace)
            known = self._fills[namespace] = (fill, text_colour(fill))
        return known


def event_classes(event: EventNode) -> list[str]:
    """Return the classes of an event."""
    marks = ["failed"] * event.failed + ["rejected"] * event.rejected
    marks += ["pattern"] * event.pattern
    return [namespace_class(event.namespace), "event", *marks]


def agent_classes(agent: AgentNode) -> list[str]:
    """Return the classes of an agent."""
    return [namespace_class(agent.namespace), "agent", *["test"] * agent.test]


def ends(edge: Edge) -> tuple[str, str]:
    """Return the ids that an edge leads from and to."""
    event, agent = event_id(edge.event), agent_id(edge.agent)
    return (agent, event) if edge.kind == "publishes" else (event, agent)
