"""Agents whose tools are run in time, and told of: also when they fail."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final

from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event
from eventyard.core.jsontext import dumps
from eventyard.events.bus import EventBus, event_bus
from eventyard.events.types import EventType
from eventyard.orchestration.model import AgentId
from eventyard.orchestration.paths import normal_path
from eventyard.telemetry.metrics import agent_metrics

TIMEOUT_S: Final = 30.0
#: Skills whose `path` is one of the project's.
_OF_FILES: Final = ("filesystem", "git", "code")
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|api[-_]?key|private[-_]?key|authorization"
    r"|credential|cookie|signature",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?:sk|pk|ey|ghp|gho|ghs|github_pat|xox[abp]|whsec)[-_][A-Za-z0-9_-]{12,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    re.DOTALL,
)
_HIDDEN: Final = "[redacted]"
_LONGEST: Final = 2_000
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class Tool:
    """What an agent can do; `run` gets the parameters, and may be a coroutine."""

    name: str
    run: Callable[[dict[str, Any]], Any | Awaitable[Any]]
    #: What it belongs to: `filesystem`, `git`, `code`, or a name of your own.
    skill_name: str = ""


class AgentWrapper:
    """
    Runs the tools of an agent, each within its time, and publishes AGENT_TOOL_EXECUTED.

    The event tells of success and of failure alike, without what is secret. A tool
    that is no coroutine runs in a thread: after its time is over nobody waits for it.

    Args:
        agent_id: Who it is.
        tools: What it can do.
        project_path: Where relative paths of files begin.
        timeout_s: How long a tool may take, in seconds.
    """

    def __init__(
        self,
        agent_id: AgentId,
        tools: Iterable[Tool] = (),
        *,
        project_path: str | None = None,
        timeout_s: float = TIMEOUT_S,
        bus: EventBus | None = None,
        **attributes: Any,
    ) -> None:
        self.agent_id = agent_id
        self.project_path = project_path
        self.timeout_s = timeout_s
        self._bus = event_bus if bus is None else bus
        #: `circle_id`, `project_id` and whatever else its events say.
        self._attributes = attributes
        self._tools = {one.name: one for one in tools}

    def add_tool(self, tool: Tool) -> None:
        """Let the agent do one more thing."""
        self._tools[tool.name] = tool

    async def execute_tool(
        self, tool_name: str, params: Mapping[str, Any] | None = None
    ) -> Any:
        """
        Run a tool; return what it returns, or `{"error": ...}` where it cannot.

        It fails by what it says, by an error, or by taking too long.
        """
        return await self._execute_tool(tool_name, params or {})

    async def _execute_tool(self, tool_name: str, params: Mapping[str, Any]) -> Any:
        tool = self._tools.get(tool_name)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            return {"error": f"There is no tool {tool_name}; there are: {known}."}
        began = time.perf_counter()
        result = await self._in_time(tool, params)
        took_ms = (time.perf_counter() - began) * 1_000
        agent_metrics.record_tool_call(
            tool_name, took_ms, succeeded(result), self.agent_id
        )
        await self._tell(tool, params, result)
        return result

    async def _in_time(self, tool: Tool, params: Mapping[str, Any]) -> Any:
        try:
            given = self._resolved(tool, params)
            return await asyncio.wait_for(_run(tool, given), self.timeout_s)
        except TimeoutError:
            return {"error": f"{tool.name} took longer than {self.timeout_s:g} s."}
        except Exception as error:  # noqa: BLE001 - told, and the agent goes on
            return {"error": f"{type(error).__name__}: {error}"}

    def _resolved(self, tool: Tool, params: Mapping[str, Any]) -> dict[str, Any]:
        path = params.get("path")
        if (
            self.project_path is None
            or tool.skill_name not in _OF_FILES
            or not isinstance(path, str)
            or path.startswith("/")
        ):
            return dict(params)
        home = normal_path(self.project_path)
        whole = normal_path(path, home)
        if whole != home and not whole.startswith(home.rstrip("/") + "/"):
            raise EventRouterError(f"{path} leads out of the project.")
        return {**params, "path": whole}

    async def _tell(self, tool: Tool, params: Mapping[str, Any], result: Any) -> None:
        good = succeeded(result)
        data = {
            "tool_name": tool.name,
            "skill_name": tool.skill_name,
            "params": redacted(dict(params)),
            "success": good,
        }
        if not good:
            data["error"] = redacted(_error_in(result))
        event = Event(
            EventType.AGENT_TOOL_EXECUTED,
            data,
            **{**self._attributes, "source_agent_id": self.agent_id},
        )
        await self._bus.publish(event)


async def _run(tool: Tool, params: dict[str, Any]) -> Any:
    if iscoroutinefunction(tool.run):
        return await tool.run(params)
    result = await asyncio.to_thread(tool.run, params)
    return await result if isawaitable(result) else result


def succeeded(result: Any) -> bool:
    """Tell whether a tool did what it was to: as it says, or as no error says."""
    if isinstance(result, Mapping):
        return bool(result.get("success", "error" not in result))
    said = getattr(result, "success", None)
    return True if said is None else bool(said)


def _error_in(result: Any) -> str:
    if isinstance(result, Mapping):
        return str(result.get("error", ""))
    return str(getattr(result, "error", "") or "")


def redacted(value: Any, depth: int = 0) -> Any:
    """
    Return JSON of a value without what is secret: by its name, or by its looks.

    Long texts are cut, and what is no JSON becomes text.
    """
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {
            str(name): _HIDDEN
            if _SECRET_NAME.search(str(name))
            else redacted(one, depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(one, depth + 1) for one in value]
    if value is None or isinstance(value, bool | int) or _is_finite(value):
        return value
    text = _SECRET_TEXT.sub(_HIDDEN, str(value))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _is_finite(value: Any) -> bool:
    if not isinstance(value, float):
        return False
    try:
        dumps(value)
    except ValueError:
        return False
    return True
