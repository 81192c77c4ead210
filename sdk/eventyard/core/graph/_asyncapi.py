"""A model as an AsyncAPI 3.1 document."""

from __future__ import annotations

import re
from typing import Any, Final

from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel

VERSION: Final = "3.1.0"
_ACTIONS: Final = {"publishes": "send", "subscribes": "receive"}
_OUTSIDE = re.compile(r"[^A-Za-z0-9._-]")


def asyncapi(model: FlowModel, *, title: str, version: str) -> dict[str, Any]:
    """
    Return a document with a channel for each event, an operation for each edge.

    What an agent publishes it sends, what it listens to it receives. Namespaces are
    tags, and `x-eventyard-*` tells what AsyncAPI has no word for: the agent, and the
    places in the code (`x-eventyard-source`).
    """
    channels = _keys([event.name for event in model.events])
    labels = {agent.id: agent for agent in model.agents}
    operations: dict[str, Any] = {}
    for edge in model.edges:
        wanted = f"{edge.agent}.{_ACTIONS[edge.kind]}.{edge.event}"
        operations[_free(wanted, operations)] = _operation(
            edge, channels[edge.event], labels[edge.agent]
        )
    return {
        "asyncapi": VERSION,
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "channels": {
            channels[one.name]: _channel(one, channels) for one in model.events
        },
        "operations": operations,
        "components": {
            "messages": {channels[one.name]: _message(one) for one in model.events}
        },
    }


def _keys(names: list[str]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name in names:
        taken[_free(name, taken)] = name
    return {name: key for key, name in taken.items()}


def _free(wanted: str, taken: dict[str, Any]) -> str:
    plain = _OUTSIDE.sub("_", wanted)
    found, number = plain, 1
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    return found


def _channel(event: EventNode, channels: dict[str, str]) -> dict[str, Any]:
    key = channels[event.name]
    shape: dict[str, Any] = {
        # In an address, braces hold parameters, which events have none of.
        "address": None if set("{}") & set(event.name) else event.name,
        "title": event.name,
        "messages": {key: {"$ref": f"#/components/messages/{key}"}},
        "tags": [{"name": event.namespace}],
    }
    if event.at is not None:
        shape["x-eventyard-source"] = [str(event.at)]
    return shape


def _message(event: EventNode) -> dict[str, Any]:
    marks = ["failed"] * event.failed + ["rejected"] * event.rejected
    # A namespace may be called like a mark, and no tag may come twice.
    tags = dict.fromkeys([event.namespace, *marks])
    return {"name": event.name, "tags": [{"name": name} for name in tags]}


def _operation(edge: Edge, channel: str, agent: AgentNode) -> dict[str, Any]:
    does = "publishes" if edge.kind == "publishes" else "listens to"
    return {
        "action": _ACTIONS[edge.kind],
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{channel}"}],
        "title": f"{agent.label or agent.id} {does} {edge.event}",
        "tags": [{"name": agent.namespace}],
        "x-eventyard-agent": edge.agent,
        "x-eventyard-source": [str(site) for site in edge.sites],
    }
