"""From a publish to a webhook: how late, and how many a second."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.way import _p99
from tests.e2e.running import RunningPlatform, wait_until
from tests.receiver import Receiver

_SINGLES = 150
_COMMITS = 20


def measure() -> dict[str, Any]:
    """Deliver to a receiver on loopback; beside it, the same requests from one loop."""
    with tempfile.TemporaryDirectory() as state:
        running = RunningPlatform(
            Path(state), EVENTYARD_ALLOW_PRIVATE_HOSTS="127.0.0.1"
        )
        running.start()
        try:
            return _measure(running)
        finally:
            running.stop()


def _measure(running: RunningPlatform) -> dict[str, Any]:
    with Receiver() as receiver:
        arrived: dict[str, float] = {}

        def note(_: int, request: Any) -> tuple[int, dict[str, str]]:
            body = request.event
            for event in body if isinstance(body, list) else [body]:
                arrived[event["id"]] = time.perf_counter()
            return 204, {}

        receiver.reaction = note
        _subscribe(running, receiver.url, "single.*", 1)
        _subscribe(running, receiver.url, "batch.*", 20)
        waits = _latency(running, arrived)
        return {
            "publish to webhook, p50 ms": statistics.median(waits) * 1000,
            "publish to webhook, p99 ms": _p99(waits) * 1000,
            "deliveries a second, an event a request": _rate(
                running, arrived, "single.x"
            ),
            "deliveries a second, 20 events a request": _rate(
                running, arrived, "batch.x"
            ),
            "signed requests a second from one plain loop": _floor(receiver.url),
        }


def _subscribe(running: RunningPlatform, url: str, topics: str, size: int) -> None:
    body = {
        "topics": topics,
        "target": {"type": "webhook", "url": url},
        "batch_size": size,
    }
    status, told = running.request("POST", "/api/v1/subscriptions", body)
    assert status == 201, told


def _latency(running: RunningPlatform, arrived: dict[str, float]) -> list[float]:
    waits = []
    for n in range(_SINGLES):
        started = time.perf_counter()
        event_id = running.publish("single.x", {"n": n})
        wait_until(lambda one=event_id: one in arrived, pause=0.001)
        waits.append(arrived[event_id] - started)
    return waits[20:]  # the first ones start processes


def _rate(running: RunningPlatform, arrived: dict[str, float], topic: str) -> float:
    before = len(arrived)
    started = time.perf_counter()
    for commit in range(_COMMITS):
        body = [{"type": topic, "payload": {"n": n, "c": commit}} for n in range(100)]
        status, _ = running.request("POST", "/api/v1/events", body)
        assert status == 201
    wait_until(lambda: len(arrived) >= before + _COMMITS * 100, 120)
    return _COMMITS * 100 / (time.perf_counter() - started)


def _floor(url: str) -> float:
    """What a script would do: sign and post, one after the other, one connection."""
    from datetime import UTC, datetime

    import urllib3
    from standardwebhooks.webhooks import Webhook

    signer = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = json.dumps({"id": "x", "data": {"n": 1}})
    with urllib3.PoolManager() as pool:
        started = time.perf_counter()
        for n in range(500):
            now = datetime.now(UTC)
            headers = {
                "webhook-id": f"msg_{n}",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signer.sign(f"msg_{n}", now, body),
            }
            pool.request("POST", url, body=body, headers=headers)
        return 500 / (time.perf_counter() - started)
