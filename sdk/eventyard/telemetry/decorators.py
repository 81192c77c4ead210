"""Spans and durations of functions; while telemetry is off they are called as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final, Literal, TypeVar, cast

from eventyard.telemetry.runtime import telemetry

F = TypeVar("F", bound=Callable[..., Any])
Unit = Literal["ms", "s"]
_FACTORS: Final = {"ms": 1e3, "s": 1.0}


def trace_method(
    name: str | None = None, attributes: Mapping[str, Any] | None = None
) -> Callable[[F], F]:
    """
    Give each call of a function, or of a coroutine function, a span.

    It is called `name`, or as the function is; its attributes are these, `class`,
    `success`, and of an error, which is raised as ever, `error.type` and
    `error.message`.
    """

    def decorate(function: F) -> F:
        if iscoroutinefunction(function):
            return cast("F", _traced_async(function, name, attributes))
        return cast("F", _traced(function, name, attributes))

    return decorate


#: The same: which of the two a function is, is seen.
trace_async_method = trace_method


def _traced(
    function: Callable[..., Any], name: str | None, more: Mapping[str, Any] | None
) -> Callable[..., Any]:
    named = name or function.__qualname__

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.tracer is None:
            return function(*args, **kwargs)
        with _span(named, _described(function, args, more)) as span:
            told = function(*args, **kwargs)
            span.set_attribute("success", True)
            return told

    return call


def _traced_async(
    function: Callable[..., Any], name: str | None, more: Mapping[str, Any] | None
) -> Callable[..., Any]:
    named = name or function.__qualname__

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.tracer is None:
            return await function(*args, **kwargs)
        with _span(named, _described(function, args, more)) as span:
            told = await function(*args, **kwargs)
            span.set_attribute("success", True)
            return told

    return call


def _span(name: str, attributes: Mapping[str, Any]) -> Any:
    from eventyard.telemetry.spans import Spanned

    return Spanned(telemetry.tracer, name, attributes)


def _described(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    more: Mapping[str, Any] | None,
) -> dict[str, Any]:
    owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    described = dict(more or {})
    if args and owner and owner != "<locals>":
        first = args[0] if isinstance(args[0], type) else type(args[0])
        if any(kind.__name__ == owner for kind in first.__mro__):
            described["class"] = first.__name__
    return described


def measure_time(metric_name: str, unit: str = "ms") -> Callable[[F], F]:
    """
    Record how long each call of a function, or coroutine function, takes.

    The histogram has that name; calls that fail count too. Raises ValueError when the
    unit is neither `ms` nor `s`.
    """
    factor = _factor(unit)

    def decorate(function: F) -> F:
        if iscoroutinefunction(function):
            return cast("F", _timed_async(function, metric_name, unit, factor))
        return cast("F", _timed(function, metric_name, unit, factor))

    return decorate


#: The same, as above.
measure_time_async = measure_time


def _factor(unit: str) -> float:
    if unit not in _FACTORS:
        raise ValueError(f"the unit is ms or s, not {unit!r}")
    return _FACTORS[unit]


def _timed(
    function: Callable[..., Any], metric: str, unit: str, factor: float
) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.meter is None:
            return function(*args, **kwargs)
        begun = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _record(function, metric, unit, (time.perf_counter() - begun) * factor)

    return call


def _timed_async(
    function: Callable[..., Any], metric: str, unit: str, factor: float
) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        if telemetry.meter is None:
            return await function(*args, **kwargs)
        begun = time.perf_counter()
        try:
            return await function(*args, **kwargs)
        finally:
            _record(function, metric, unit, (time.perf_counter() - begun) * factor)

    return call


def _record(function: Callable[..., Any], metric: str, unit: str, took: float) -> None:
    # It may have ended while the function ran.
    meter = telemetry.meter
    if meter is not None:
        histogram = meter.histogram(metric, unit, "How long calls take")
        histogram.record(took, {"function": function.__qualname__})
