"""What one request costs inside the function, without AWS."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

_ROUNDS = 2_000


def measure() -> dict[str, Any]:
    """Call both applications with the same gateway events, turn by turn."""
    os.environ |= dict.fromkeys(_NAMES, "x") | {"EVENTYARD_AUTH": "open"}
    from app import app
    from chalicelib.bootstrap import platform

    platform().__dict__["table"] = _NoTable()
    from tests.bench.peer_app import handler as peer

    event = _event("POST", "/api/v1/events", {"type": "a.b", "payload": {"n": 1}})
    # The line that each invocation logs is part of its cost, but not of this screen.
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        ours, theirs = _compare(lambda: app(event, None), lambda: peer(event, _Context))
    return {
        "eventyard: publish, µs": ours,
        "FastAPI + Mangum: same body checked, µs": theirs,
        "eventyard / FastAPI + Mangum": f"{ours / theirs:.2f}",
    }


_NAMES = [
    "EVENTYARD_TABLE",
    "EVENTYARD_BUCKET",
    "EVENTYARD_TOPIC_ARN",
    "EVENTYARD_ROUTING_QUEUE_URL",
    "EVENTYARD_ROUTING_DEAD_URL",
    "EVENTYARD_LIVE_QUEUE_URL",
    "EVENTYARD_LIVE_DEAD_URL",
    "EVENTYARD_RELAY_DEAD_URL",
    "EVENTYARD_CHORES_QUEUE_URL",
    "EVENTYARD_CHORES_DEAD_URL",
]


class _NoTable:
    """Takes every item at once: what is measured is our code, not a database."""

    def put_new(self, item: Any) -> bool:
        return True


class _Context:
    aws_request_id = "1"


def _compare(*calls: Callable[[], Any]) -> list[float]:
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(_ROUNDS):
        for call, mine in zip(calls, times, strict=True):
            started = time.perf_counter()
            answer = call()
            mine.append((time.perf_counter() - started) * 1e6)
            assert answer["statusCode"] == 201, answer
    return [statistics.median(mine) for mine in times]


def _event(method: str, path: str, body: Any) -> dict[str, Any]:
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "path": path,
            "stage": "api",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
