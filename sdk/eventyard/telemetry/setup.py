"""Setting OpenTelemetry up, and ending it; whatever is wrong, the program goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from eventyard.telemetry.config import TelemetryConfig
from eventyard.telemetry.runtime import NAME, telemetry

_LOGGER: Final = logging.getLogger("eventyard.telemetry")
_LOCK: Final = threading.Lock()


def setup_telemetry(config: TelemetryConfig | None = None) -> bool:
    """
    Begin to record traces and metrics, and send them by OTLP; tell whether it did.

    Without a `config` the environment is read. Again, it ends what was set up and
    begins anew. False, with one warning, when it is disabled, OpenTelemetry is not
    installed (`pip install 'eventyard[otel]'`) or anything else goes wrong: then all of
    this does nothing.
    """
    with _LOCK:
        _end()
        try:
            chosen = TelemetryConfig.from_env() if config is None else config
            if not chosen.enabled:
                return False
            runtime = import_module("eventyard.telemetry.providers").begin(chosen)
            telemetry.set(runtime)
            runtime.ends.insert(0, _watch_bus())
        except ImportError as error:
            _LOGGER.warning("no telemetry, pip install 'eventyard[otel]': %s", error)
            return False
        except Exception as error:  # noqa: BLE001 - a program must run without it
            _LOGGER.warning("no telemetry: %s", error)
            _end()
            return False
        return telemetry.runtime is not None


def _watch_bus() -> Callable[[], None]:
    from eventyard.telemetry import bus

    bus.watch()
    return bus.leave


def shutdown_telemetry() -> None:
    """Send what was recorded, and do nothing from here on; never raises."""
    with _LOCK:
        _end()


def _end() -> None:
    runtime = telemetry.runtime
    telemetry.set(None)
    if runtime is None:
        return
    for end in runtime.ends:
        try:
            end()
        except Exception as error:  # noqa: BLE001 - as above
            _LOGGER.warning("telemetry did not end well: %s", error)


def is_enabled() -> bool:
    """Tell whether telemetry is set up."""
    return telemetry.runtime is not None


def get_tracer(name: str = NAME) -> Any:
    """Return OpenTelemetry's tracer of a name; None while there is no tracing."""
    runtime = telemetry.runtime
    if runtime is None or runtime.tracers is None:
        return None
    return runtime.tracers.get_tracer(name)


def get_meter(name: str = NAME) -> Any:
    """Return OpenTelemetry's meter of a name; None while there are no metrics."""
    runtime = telemetry.runtime
    if runtime is None or runtime.meters is None:
        return None
    return runtime.meters.get_meter(name)
