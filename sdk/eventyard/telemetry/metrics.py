"""What agents, models, the bus and the cache count; nothing while telemetry is off."""

from __future__ import annotations

from typing import Any, Final

from eventyard.telemetry.runtime import Runtime, telemetry

_INSTRUMENTS: Final = {
    "agent.run.duration": ("ms", "How long an agent runs"),
    "agent.tool_call.duration": ("ms", "How long a tool takes"),
    "agent.tool_calls.total": ("1", "Calls of tools"),
    "agent.tool_calls.errors": ("1", "Calls of tools that failed"),
    "agent.tokens.used": ("1", "Tokens that agents used"),
    "agent.iterations": ("1", "Iterations of an agent's run"),
    "llm.call.duration": ("ms", "How long a model takes"),
    "llm.calls.total": ("1", "Calls of models"),
    "llm.calls.errors": ("1", "Calls of models that failed"),
    "llm.tokens.prompt": ("1", "Tokens that went in"),
    "llm.tokens.completion": ("1", "Tokens that came out"),
    "eventbus.events.published": ("1", "Events that were published"),
    "eventbus.events.delivered": ("1", "Events that handlers had"),
    "eventbus.handler.errors": ("1", "Handlers that failed"),
    "eventbus.handler.duration": ("ms", "How long a handler takes"),
    "cache.hits": ("1", "What was in the cache"),
    "cache.misses": ("1", "What was not in the cache"),
    "cache.operation.duration": ("ms", "How long the cache takes"),
}


def _add(meter: Runtime, name: str, amount: float, attributes: dict[str, str]) -> None:
    meter.counter(name, *_INSTRUMENTS[name]).add(amount, attributes)


def _note(meter: Runtime, name: str, value: float, attributes: dict[str, str]) -> None:
    meter.histogram(name, *_INSTRUMENTS[name]).record(value, attributes)


def _texts(**attributes: Any) -> dict[str, str]:
    """Return attributes as texts, without those that are not known."""
    return {name: str(value) for name, value in attributes.items() if value is not None}


class AgentMetrics:
    """What agents do, and what it takes."""

    def record_run_duration(
        self,
        duration_ms: float,
        agent_id: int | str,
        success: bool = True,  # noqa: FBT001, FBT002 - as callers know it
    ) -> None:
        """Record how long a run took, in milliseconds."""
        if telemetry.meter is not None:
            told = _texts(agent_id=agent_id, success=success)
            _note(telemetry.meter, "agent.run.duration", duration_ms, told)

    def record_tool_call(
        self,
        tool_name: str,
        duration_ms: float,
        success: bool = True,  # noqa: FBT001, FBT002 - as callers know it
        agent_id: int | str | None = None,
    ) -> None:
        """Count a call of a tool, and record how long it took."""
        meter = telemetry.meter
        if meter is None:
            return
        named = _texts(tool_name=tool_name, agent_id=agent_id)
        told = {**named, "success": str(success)}
        _note(meter, "agent.tool_call.duration", duration_ms, told)
        _add(meter, "agent.tool_calls.total", 1, told)
        if not success:
            _add(meter, "agent.tool_calls.errors", 1, named)

    def record_tokens(
        self, tokens: int, model: str, agent_id: int | str | None = None
    ) -> None:
        """Count tokens that a model used."""
        if telemetry.meter is not None:
            told = _texts(model=model, agent_id=agent_id)
            _add(telemetry.meter, "agent.tokens.used", tokens, told)

    def record_iterations(
        self, iterations: int, agent_id: int | str | None = None
    ) -> None:
        """Record how many iterations a run had."""
        if telemetry.meter is not None:
            told = _texts(agent_id=agent_id)
            _note(telemetry.meter, "agent.iterations", iterations, told)


class LLMMetrics:
    """What models are asked, and what it takes."""

    def record_llm_call(
        self,
        provider: str,
        model: str,
        duration_ms: float,
        success: bool = True,  # noqa: FBT001, FBT002
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        """Count a call of a model and its tokens, and record how long it took."""
        meter = telemetry.meter
        if meter is None:
            return
        named = _texts(provider=provider, model=model)
        told = {**named, "success": str(success)}
        _note(meter, "llm.call.duration", duration_ms, told)
        _add(meter, "llm.calls.total", 1, told)
        if not success:
            _add(meter, "llm.calls.errors", 1, named)
        if prompt_tokens:
            _add(meter, "llm.tokens.prompt", prompt_tokens, named)
        if completion_tokens:
            _add(meter, "llm.tokens.completion", completion_tokens, named)


class EventBusMetrics:
    """What goes through the bus."""

    def record_event_published(self, event_type: str) -> None:
        """Count an event that was published."""
        if telemetry.meter is not None:
            told = _texts(event_type=event_type)
            _add(telemetry.meter, "eventbus.events.published", 1, told)

    def record_event_delivered(self, event_type: str, handler_count: int) -> None:
        """Count the handlers that had an event."""
        if telemetry.meter is not None:
            told = _texts(event_type=event_type)
            _add(telemetry.meter, "eventbus.events.delivered", handler_count, told)

    def record_handler_error(
        self, event_type: str, error_type: str | None = None
    ) -> None:
        """Count a handler that failed."""
        if telemetry.meter is not None:
            told = _texts(event_type=event_type, error_type=error_type)
            _add(telemetry.meter, "eventbus.handler.errors", 1, told)

    def record_handler_duration(self, event_type: str, duration_ms: float) -> None:
        """Record how long a handler took, in milliseconds."""
        if telemetry.meter is not None:
            told = _texts(event_type=event_type)
            _note(telemetry.meter, "eventbus.handler.duration", duration_ms, told)


class CacheMetrics:
    """What the cache is asked."""

    def record_cache_hit(self, cache_type: str) -> None:
        """Count what was there."""
        if telemetry.meter is not None:
            _add(telemetry.meter, "cache.hits", 1, _texts(cache_type=cache_type))

    def record_cache_miss(self, cache_type: str) -> None:
        """Count what was not there."""
        if telemetry.meter is not None:
            _add(telemetry.meter, "cache.misses", 1, _texts(cache_type=cache_type))

    def record_cache_operation(
        self, operation: str, duration_ms: float, cache_type: str
    ) -> None:
        """Record how long an operation took, in milliseconds."""
        if telemetry.meter is not None:
            told = _texts(operation=operation, cache_type=cache_type)
            _note(telemetry.meter, "cache.operation.duration", duration_ms, told)


agent_metrics: Final = AgentMetrics()
llm_metrics: Final = LLMMetrics()
eventbus_metrics: Final = EventBusMetrics()
cache_metrics: Final = CacheMetrics()
