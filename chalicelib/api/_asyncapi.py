"""The AsyncAPI document, made of the table of live messages and their shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.api._schemas import Schema, schemas_of
from chalicelib.live.messages import MESSAGES, QUERY, TOPIC, Message
from eventyard.version import VERSION

_CHANNELS: Final = {
    "dashboard": "All traffic, as a page shows it.",
    "router": "Subscriptions with filters, and publishing.",
    "pulls": "Pull requests, as they change; also at `/ws`.",
    "jobs": "Jobs, as they are taken, done and end.",
}
_ABOUT: Final = """\
The live channels: one WebSocket, JSON messages of up to 128 KB in both directions.
What the platform receives, clients send. Whoever reconnects with the last `cursor`
they saw is sent what they missed. Addresses over HTTP are described in `openapi.json`.
"""
_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, `ey_...`, or a token; browsers, which can send neither "
    "as a header, send a ticket as the parameter `ticket`.",
}


def document(live_url: str) -> Schema:
    """Describe the live channels at an address, as AsyncAPI 3.0."""
    references, components = schemas_of(message.shape for message in MESSAGES)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Eventyard, live",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"live": _server(live_url)},
        "channels": {name: _channel(name, live_url) for name in _CHANNELS},
        "operations": dict(_operations()),
        "components": {
            "messages": {
                name_of(message): _message(message, references[message.shape])
                for message in MESSAGES
            },
            "schemas": components,
            "securitySchemes": {"key": _KEY},
        },
    }


def name_of(message: Message) -> str:
    """Return the name of a message in the document."""
    told = message.name or message.type
    return "topic" if told == TOPIC else told.replace(".", "_")


def _server(live_url: str) -> Schema:
    security = [{"$ref": "#/components/securitySchemes/key"}]
    if not live_url:
        host = {"default": "localhost:5555", "description": "Where HTTP answers, too."}
        return {
            "host": "{host}",
            "protocol": "ws",
            "variables": {"host": host},
            "security": security,
        }
    found = urlsplit(live_url)
    where = {"host": found.netloc, "pathname": found.path, "protocol": found.scheme}
    return {**where, "security": security}


def _channel(name: str, live_url: str) -> Schema:
    spoken = [message for message in MESSAGES if name in message.channels]
    parameters: Schema = {
        parameter: {"type": "string", "description": meaning}
        for parameter, meaning in QUERY.items()
    }
    query: Schema = {"type": "object", "properties": parameters}
    if live_url:
        # A gateway has one address for all channels.
        parameters["channel"] = {"type": "string", "const": name}
        query["required"] = ["channel"]
    return {
        "address": "/" if live_url else f"/ws/{name}",
        "title": name,
        "description": _CHANNELS[name],
        "messages": {
            name_of(message): {"$ref": f"#/components/messages/{name_of(message)}"}
            for message in spoken
        },
        "bindings": {
            "ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}
        },
    }


def _message(message: Message, payload: Schema) -> Schema:
    title = "<topic>" if message.type == TOPIC else message.type
    return {
        "name": message.name or message.type,
        "title": title,
        "summary": message.meaning,
        "payload": payload,
    }


def _operations() -> Iterator[tuple[str, Schema]]:
    answers = {answer for message in MESSAGES for answer in message.answers}
    for message in MESSAGES:
        for channel in message.channels:
            name = f"{channel}_{name_of(message)}"
            if message.by == "client":
                yield name, _operation(message, channel, "receive")
            elif (message.name or message.type) not in answers:
                yield name, _operation(message, channel, "send")


def _operation(message: Message, channel: str, action: str) -> Schema:
    written: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": message.meaning,
        "messages": [_spoken(channel, name_of(message))],
    }
    if message.answers:
        names = {name_of(one) for one in MESSAGES if channel in one.channels}
        told = [
            _spoken(channel, name)
            for name in (*message.answers, "error")
            if name in names
        ]
        written["reply"] = {"channel": written["channel"], "messages": told}
    return written


def _spoken(channel: str, name: str) -> Schema:
    return {"$ref": f"#/channels/{channel}/messages/{name}"}
