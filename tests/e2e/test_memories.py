"""Memories on the running platform: what becomes of many, and of forgotten ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from chalicelib.memories.model import SPACES, gone_key
from tests.e2e.running import RunningPlatform

TABLE = "eventyard-dev"
QUESTIONS = ("note 33 about delta", "alpha and beta", "gamma number 900")
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta")
_WAIT_S = 120


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)
    return found


def remember(platform: RunningPlatform, agent: str, numbers: range) -> list[str]:
    said = [
        {
            "agent_id": agent,
            "content": f"note {n} about {WORDS[n % 7]} and {WORDS[n // 7 % 7]} {n * n}",
            "tags": [WORDS[n % 7]],
        }
        for n in numbers
    ]
    body = {"memories": said}
    status, told = platform.request("POST", "/api/v1/memories/batch", body)
    assert status == 201, told
    return list(told["ids"])


def recalled(platform: RunningPlatform, agent: str) -> list[list[tuple[str, float]]]:
    return [
        [(one["id"], round(one["similarity"], 4)) for one in told["results"]]
        for told in (_ask(platform, agent, query) for query in QUESTIONS)
    ]


def _ask(platform: RunningPlatform, agent: str, query: str) -> Any:
    body = {"agent_id": agent, "query": query, "limit": 30, "threshold": -1}
    body["update_access"] = False
    status, told = platform.request("POST", "/api/v1/memories/recall", body)
    assert status == 200, told
    return told


def forget(platform: RunningPlatform, names: list[str]) -> None:
    for name in names:
        status, told = platform.request("DELETE", f"/api/v1/memories/{name}")
        assert status == 200, told


def item(platform: RunningPlatform, key: tuple[str, str]) -> Any:
    at = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
    return platform.aws("dynamodb").get_item(TableName=TABLE, Key=at).get("Item", {})


def in_segments(platform: RunningPlatform, space: str) -> int:
    segments = item(platform, (SPACES, space)).get("segments", {"L": []})["L"]
    return sum(int(one["M"]["count"]["N"]) for one in segments)


def due_now(platform: RunningPlatform, space: str) -> None:
    """Have the sweep find that a space is to be compacted, its young rows as well."""
    now = int(time.time() * 1_000)
    ref = {"M": {"space": {"S": space}, "settle_ms": {"N": "0"}}}
    row = {
        "pk": {"S": f"agenda#{now // 60_000}"},
        "sk": {"S": f"{now:013d}#memories#{space}"},
        "kind": {"S": "memories"},
        "name": {"S": space},
        "at_ms": {"N": str(now)},
        "ref": ref,
    }
    platform.aws("dynamodb").put_item(TableName=TABLE, Item=row)


def test_many_memories_are_compacted_and_every_answer_stays_the_same(
    running: RunningPlatform,
) -> None:
    agent = f"compacted-{time.time_ns()}"
    space = f"agent:{agent}"
    names = [
        name
        for start in range(0, 240, 40)
        for name in remember(running, agent, range(start, start + 40))
    ]
    forget(running, names[::10])
    before = recalled(running, agent)
    assert in_segments(running, space) == 0

    due_now(running, space)
    until(lambda: in_segments(running, space) == 216)

    assert recalled(running, agent) == before
    assert "ids" not in item(running, gone_key(space))
    files = running.aws("s3")
    named = item(running, (SPACES, space))["segments"]["L"][0]["M"]["name"]["S"]
    (bucket,) = (
        one["Name"]
        for one in files.list_buckets()["Buckets"]
        if files.list_objects_v2(Bucket=one["Name"], Prefix=named).get("KeyCount")
    )
    assert bucket.startswith("eventyard")
    # What is forgotten in a segment, and what comes behind it.
    best = before[0][0][0]
    forget(running, [best])
    more = remember(running, agent, range(240, 250))
    after = recalled(running, agent)
    assert best not in json.dumps(after)
    assert set(more) & {name for answer in after for name, _ in answer}

    due_now(running, space)
    # The forgotten one stays in its file, until there are many: it is passed over.
    until(lambda: in_segments(running, space) == 226)
    assert recalled(running, agent) == after
    told = running.get(f"/api/v1/memories/stats?agent={agent}")
    assert told["memories"]["total"] == 225
