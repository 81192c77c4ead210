"""
What telemetry is told by the environment, read before anything else.

Apart from chalicelib/config.py: whatever is wrong here must stop no function.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from chalicelib.config import ConfigurationError

_SHARE: Final = re.compile(r"0(?:\.[0-9]{1,9})?|1(?:\.0{1,9})?|\.[0-9]{1,9}")
_URL: Final = re.compile(r"https?://[!-~]{1,2000}")
_GRPC_PORT: Final = ":4317"
_HTTP_PORT: Final = ":4318"
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Whether the platform tells of itself, and to which collector."""

    enabled: bool
    #: The share of events that begin a trace, of those that belong to none.
    rate: float
    #: Where OTLP is spoken over HTTP; empty: spans are lines of the log.
    endpoint: str
    #: What the collector wants to be sent along.
    headers: tuple[tuple[str, str], ...] = field(repr=False)


#: Nothing is recorded.
OFF: Final = TelemetrySettings(enabled=False, rate=0.0, endpoint="", headers=())


def from_environment(env: Mapping[str, str] | None = None) -> TelemetrySettings:
    """Read what telemetry is told; raises ConfigurationError."""
    env = os.environ if env is None else env
    endpoint = _collector(env)
    rate = env.get("TELEMETRY_TRACE_SAMPLE_RATE") or ("1" if endpoint else "0")
    if not _SHARE.fullmatch(rate):
        raise ConfigurationError(
            f"TELEMETRY_TRACE_SAMPLE_RATE must be from 0 to 1, not {rate[:40]!r}."
        )
    enabled = (env.get("TELEMETRY_ENABLED") or "true").lower()
    if enabled not in ("true", "false"):
        raise ConfigurationError(
            f"TELEMETRY_ENABLED must be true or false, not {enabled[:40]!r}."
        )
    headers = _pairs(env.get("OTEL_EXPORTER_OTLP_HEADERS") or "")
    return TelemetrySettings(enabled == "true", float(rate), endpoint, headers)


def _collector(env: Mapping[str, str]) -> str:
    named = env.get("EVENTYARD_OTLP_ENDPOINT") or _usual(env)
    if named and not _URL.fullmatch(named):
        raise ConfigurationError(
            "EVENTYARD_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_ENDPOINT) must be an http "
            f"or https address, not {named[:80]!r}."
        )
    return named.rstrip("/")


def _usual(env: Mapping[str, str]) -> str:
    named = (env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "").rstrip("/")
    if (env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "grpc") != "grpc":
        return named
    if named.endswith(_GRPC_PORT):
        # Who listens to programs by gRPC listens on the other port by HTTP.
        return named.removesuffix(_GRPC_PORT) + _HTTP_PORT
    # Whoever chose gRPC for another port named one that speaks no HTTP.
    return "" if env.get("OTEL_EXPORTER_OTLP_PROTOCOL") else named


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [one.partition("=") for one in text.split(",") if one.strip()]
    read = tuple((name.strip(), unquote(value.strip())) for name, _, value in pairs)
    if not all(_HEADER.fullmatch(n) and v and v.isprintable() for n, v in read):
        # Never shown: there are keys in it.
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_HEADERS must be name=value, with commas between."
        )
    return read
