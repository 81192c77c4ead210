"""What telemetry is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from eventyard.core.errors import ValidationError

_NAMES: Final = {
    "service_name": "TELEMETRY_SERVICE_NAME",
    "environment": "TELEMETRY_ENVIRONMENT",
    "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "protocol": "OTEL_EXPORTER_OTLP_PROTOCOL",
}
_PROTOCOLS: Final = ("", "grpc", "http/protobuf")
_YES: Final = ("1", "true", "yes", "on")
_NO: Final = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """
    Whose telemetry it is, where it goes, and how much of it.

    Raises ValidationError when something in it makes no sense.
    """

    enabled: bool = True
    service_name: str = "gathering"
    environment: str = "development"
    tracing_enabled: bool = True
    #: Where an OpenTelemetry collector listens.
    otlp_endpoint: str = "http://localhost:4317"
    metrics_enabled: bool = True
    #: How often metrics are sent, in seconds.
    metrics_export_interval: float = 60
    #: The share of traces begun here that is recorded, 0 to 1; whoever goes on with a
    #: trace of others does as those decided.
    trace_sample_rate: float = 1.0
    #: Whether calls by `requests` and `httpx` have spans, where OpenTelemetry's own
    #: instrumentation of these is installed.
    instrument_requests: bool = True
    instrument_httpx: bool = True
    #: `grpc` or `http/protobuf`; empty: gRPC for port 4317 where that exporter is
    #: installed, else HTTP.
    protocol: str = ""

    def __post_init__(self) -> None:
        """Check what can be wrong."""
        if not 0 <= self.trace_sample_rate <= 1:
            rate = self.trace_sample_rate
            raise _wrong("trace_sample_rate", f"is 0 to 1, not {rate!r}")
        if not self.metrics_export_interval > 0:
            raise _wrong("metrics_export_interval", "is a positive number of seconds")
        if self.protocol not in _PROTOCOLS:
            raise _wrong("protocol", f"is grpc or http/protobuf, not {self.protocol!r}")

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read TELEMETRY_* and OTEL_EXPORTER_OTLP_*; raises ValidationError."""
        env = os.environ if env is None else env
        texts: dict[str, Any] = {
            name: env[key] for name, key in _NAMES.items() if env.get(key)
        }
        return cls(
            enabled=_flag(env.get("TELEMETRY_ENABLED") or "true"),
            trace_sample_rate=_number(env.get("TELEMETRY_TRACE_SAMPLE_RATE") or "1"),
            **texts,
        )


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in (*_YES, *_NO):
        raise _wrong("TELEMETRY_ENABLED", f"is true or false, not {text!r:.40}")
    return word in _YES


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        fault = _wrong("TELEMETRY_TRACE_SAMPLE_RATE", f"is 0 to 1, not {text!r:.40}")
        raise fault from None


def _wrong(name: str, what: str) -> ValidationError:
    return ValidationError(f"{name} {what}", details={"field": name})
