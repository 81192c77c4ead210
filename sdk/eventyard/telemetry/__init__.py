"""
Traces and metrics by OpenTelemetry, for whoever sets it up (the extra `otel`).

Until `setup_telemetry` everything here does nothing, costs next to nothing and imports
no OpenTelemetry; it works with objects and functions that were made before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventyard.telemetry.config import TelemetryConfig
    from eventyard.telemetry.decorators import (
        measure_time,
        measure_time_async,
        trace_async_method,
        trace_method,
    )
    from eventyard.telemetry.handling import span_for
    from eventyard.telemetry.setup import (
        get_meter,
        get_tracer,
        is_enabled,
        setup_telemetry,
        shutdown_telemetry,
    )

__all__ = [
    "TelemetryConfig",
    "get_meter",
    "get_tracer",
    "is_enabled",
    "measure_time",
    "measure_time_async",
    "setup_telemetry",
    "shutdown_telemetry",
    "span_for",
    "trace_async_method",
    "trace_method",
]

_WHERE: Final = {
    "TelemetryConfig": "config",
    "get_meter": "setup",
    "get_tracer": "setup",
    "is_enabled": "setup",
    "measure_time": "decorators",
    "measure_time_async": "decorators",
    "setup_telemetry": "setup",
    "shutdown_telemetry": "setup",
    "span_for": "handling",
    "trace_async_method": "decorators",
    "trace_method": "decorators",
}


def __getattr__(name: str) -> Any:
    """Load what was not needed until now."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
