"""Tools of agents: run in time, told of whatever becomes of them, without secrets."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.events import EventBus, EventType
from eventyard.orchestration import AgentWrapper, Tool
from eventyard.orchestration.wrapper import redacted
from eventyard.telemetry import TelemetryConfig, setup_telemetry, shutdown_telemetry
from tests.awaiting import awaited
from tests.otlp import Collector


@pytest.fixture
def bus():
    return EventBus.separate()


def told(bus):
    (event,) = bus.get_history(EventType.AGENT_TOOL_EXECUTED)
    return event


def agent(bus, run, skill="", **more):
    tool = Tool("act", run, skill)
    return AgentWrapper(7, [tool], bus=bus, circle_id=5, **more)


@awaited
async def test_a_tool_that_does_what_it_is_to_is_told_of(bus):
    async def act(params):
        return {"written": params["n"]}

    assert await agent(bus, act, "notes")._execute_tool("act", {"n": 1}) == {
        "written": 1
    }
    event = told(bus)
    assert event.data == {
        "tool_name": "act",
        "skill_name": "notes",
        "params": {"n": 1},
        "success": True,
    }
    assert (event.source_agent_id, event.circle_id) == (7, 5)


@awaited
async def test_a_tool_that_is_not_there_is_an_error_and_no_event(bus):
    result = await agent(bus, dict).execute_tool("fly")
    assert result == {"error": "There is no tool fly; there are: act."}
    assert bus.get_history() == []


@awaited
async def test_what_takes_too_long_is_told_as_a_failure(bus):
    async def slow(_):
        await asyncio.sleep(60)

    result = await agent(bus, slow, timeout_s=0.01).execute_tool("act")
    assert result == {"error": "act took longer than 0.01 s."}
    assert told(bus).data["success"] is False
    assert "longer" in told(bus).data["error"]


@awaited
async def test_a_blocking_tool_blocks_nobody_and_is_given_up(bus):
    def slow(_):
        time.sleep(0.3)

    began = time.monotonic()
    result = await agent(bus, slow, timeout_s=0.05).execute_tool("act")
    assert "longer" in result["error"]
    assert time.monotonic() - began < 0.25


@awaited
async def test_thirty_seconds_are_given_unless_told(bus):
    assert agent(bus, dict).timeout_s == 30


@awaited
async def test_an_error_is_told_as_a_failure_without_its_secret(bus):
    def fails(_):
        raise ValueError("refused: Bearer abcdefgh12345")

    result = await agent(bus, fails).execute_tool("act")
    assert result["error"].startswith("ValueError: refused")
    assert told(bus).data["success"] is False
    assert told(bus).data["error"] == "ValueError: refused: [redacted]"


@pytest.mark.parametrize(
    ("result", "good"),
    [
        ({"ok": 1}, True),
        ({"error": "no"}, False),
        ({"success": True, "error": "a warning"}, True),
        ({"success": False}, False),
        (SimpleNamespace(success=False), False),
        (SimpleNamespace(success=True), True),
        ("text", True),
        (None, True),
    ],
)
@awaited
async def test_a_result_says_whether_it_is_one(bus, result, good):
    assert await agent(bus, lambda _: result).execute_tool("act") is result
    assert told(bus).data["success"] is good


@pytest.mark.parametrize(
    ("skill", "path", "given"),
    [
        ("filesystem", "src/a.py", "/home/shop/src/a.py"),
        ("git", "./b/../a.py", "/home/shop/a.py"),
        ("code", ".", "/home/shop"),
        ("code", "/etc/hosts", "/etc/hosts"),
        ("web", "src/a.py", "src/a.py"),
    ],
)
@awaited
async def test_relative_paths_begin_at_the_project(bus, skill, path, given):
    seen = []
    wrapped = agent(bus, seen.append, skill, project_path="/home/shop")
    await wrapped.execute_tool("act", {"path": path, "x": 1})
    assert seen == [{"path": given, "x": 1}]
    assert told(bus).data["params"]["path"] == path


@pytest.mark.parametrize("path", ["../other/a.py", "a/../../x", "..", "..\\x"])
@awaited
async def test_a_relative_path_leads_nowhere_else(bus, path):
    seen = []
    wrapped = agent(bus, seen.append, "filesystem", project_path="/home/shop")
    result = await wrapped.execute_tool("act", {"path": path})
    assert "out of the project" in result["error"]
    assert seen == []
    assert told(bus).data["success"] is False


@awaited
async def test_params_are_told_without_what_is_secret(bus):
    params = {
        "url": "https://me:hunter2@example.com/x",
        "headers": {"Authorization": "Bearer abc", "Accept": "*"},
        "API-Key": "k",
        "password": 5,
        "list": [{"client_secret": "s"}, "key sk-proj-abcdefghijklmnop end"],
        "content": "x" * 5_000,
        "n": 3,
        "on": True,
        "ratio": float("nan"),
        "odd": object,
    }
    seen = []
    await agent(bus, seen.append).execute_tool("act", params)

    assert seen == [params], "the tool itself gets all of it"
    shown = told(bus).data["params"]
    text = json.dumps(shown)
    for secret in ("hunter2", "abc", "sk-proj", '"k"'):
        assert secret not in text, secret
    assert shown["headers"] == {"Authorization": "[redacted]", "Accept": "*"}
    assert (shown["n"], shown["on"], shown["password"]) == (3, True, "[redacted]")
    assert len(shown["content"]) < 2_100


@given(
    st.recursive(
        st.none() | st.text() | st.floats() | st.integers() | st.binary(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)
        ),
    )
)
def test_whatever_it_is_what_is_told_is_json(value):
    json.dumps(redacted(value), allow_nan=False)


@awaited
async def test_cancelling_is_no_failure_of_the_tool(bus):
    async def slow(_):
        await asyncio.sleep(60)

    running = asyncio.create_task(agent(bus, slow).execute_tool("act"))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bus.get_history() == []


@awaited
async def test_each_call_is_measured(bus):
    with Collector() as collector:
        assert setup_telemetry(TelemetryConfig(otlp_endpoint=collector.url))
        await agent(bus, dict).execute_tool("act")
        await agent(bus, lambda _: 1 / 0).execute_tool("act")
        await asyncio.to_thread(shutdown_telemetry)
        found = {"tool_name": "act", "agent_id": "7"}
        total = collector.total("agent.tool_calls.total", **found)
        assert (total, collector.total("agent.tool_calls.errors", **found)) == (2, 1)
