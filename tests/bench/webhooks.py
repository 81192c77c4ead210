"""How long GitHub waits for an answer: its webhooks beside events of the same size."""

from __future__ import annotations

import asyncio
import io
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from eventyard.core.wire import dumps
from tests.e2e.running import RunningPlatform, wait_until
from tests.github import Sample, load

_SECRET = "a secret for measuring"
_ROUNDS = 200
_WARM_UP = 20
_PEER = "peer-receiver"


class Asked(NamedTuple):
    """One request of a kind: to whom, and what of the n-th webhook."""

    address: str
    status: int
    body: Callable[[Sample], bytes]
    headers: Callable[[Sample], dict[str, str]]


def measure() -> dict[str, Any]:
    """Ask the platform and the peer turn by turn, each on the same emulator."""
    with tempfile.TemporaryDirectory() as folder:
        running = RunningPlatform(Path(folder), EVENTYARD_GITHUB_SECRET=_SECRET)
        running.start()
        try:
            times = asyncio.run(_measure(_kinds(running)))
        finally:
            running.stop()
    figures: dict[str, Any] = {
        "bytes of a webhook": len(load("pull_request.opened").raw),
    }
    for name, mine in times.items():
        figures[f"{name} p50, ms"] = statistics.median(mine)
        figures[f"{name} p95, ms"] = statistics.quantiles(mine, n=20)[18]
    webhook, event, *_ = map(statistics.median, times.values())
    figures["POST /webhook / POST /api/v1/events"] = f"{webhook / event:.2f}"
    return figures


def _kinds(running: RunningPlatform) -> dict[str, Asked]:
    gateway = f"http://127.0.0.1:{running.emulator_port}/_aws/execute-api"
    return {
        "POST /webhook": _webhook(running.address),
        "POST /api/v1/events, the same body": Asked(
            f"{running.address}/api/v1/events", 201, _event, lambda _: _JSON
        ),
        "POST /webhook, past the front": _webhook(f"{gateway}/{_own_api(running)}"),
        "FastAPI + Mangum, verifies alone": _webhook(f"{gateway}/{_peer_api(running)}"),
    }


_JSON = {"Content-Type": "application/json"}


def _webhook(base: str) -> Asked:
    return Asked(
        f"{base}/webhook", 202, lambda one: one.raw, lambda one: one.signed(_SECRET)
    )


def _event(sample: Sample) -> bytes:
    return dumps({"type": "bench.webhook", "payload": sample.body}).encode()


async def _measure(kinds: dict[str, Asked]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in kinds}
    sample = load("pull_request.opened")
    async with aiohttp.ClientSession() as session:
        for n in range(_WARM_UP + _ROUNDS):
            for name, asked in kinds.items():
                took = await _once(session, asked, sample.later(n))
                if n >= _WARM_UP:  # the first calls are cold
                    times[name].append(took)
    return times


async def _once(session: aiohttp.ClientSession, asked: Asked, sample: Sample) -> float:
    body, headers = asked.body(sample), asked.headers(sample)
    started = time.perf_counter()
    async with session.post(asked.address, data=body, headers=headers) as answer:
        told = await answer.json()
    took = (time.perf_counter() - started) * 1000
    assert answer.status == asked.status, told
    return took


def _own_api(running: RunningPlatform) -> str:
    (stack,) = running.aws("cloudformation").describe_stacks(StackName="eventyard-dev")[
        "Stacks"
    ]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return f"{outputs['RestAPIId']}/api"


def _peer_api(running: RunningPlatform) -> str:
    """Put the peer beside the platform: a function of the same size, an API before it."""
    functions, gateway = running.aws("lambda"), running.aws("apigateway")
    made = functions.create_function(
        FunctionName=_PEER,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/peer",
        Handler="peer_receiver.handler",
        Code={"ZipFile": _zipped(Path(__file__).with_name("peer_receiver.py"))},
        MemorySize=1024,
        Environment={"Variables": {"EVENTYARD_GITHUB_SECRET": _SECRET}},
    )
    wait_until(lambda: _is_active(functions), 60, "the peer")
    api = gateway.create_rest_api(name=_PEER)["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    at = gateway.create_resource(
        restApiId=api, parentId=root["id"], pathPart="{proxy+}"
    )["id"]
    any_method = {"restApiId": api, "resourceId": at, "httpMethod": "ANY"}
    gateway.put_method(**any_method, authorizationType="NONE")
    gateway.put_integration(
        **any_method,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        f"{made['FunctionArn']}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="api")
    return f"{api}/api"


def _zipped(source: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(source, source.name)
    return packed.getvalue()


def _is_active(functions: Any) -> bool:
    state: str = functions.get_function_configuration(FunctionName=_PEER)["State"]
    return state == "Active"
