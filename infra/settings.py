"""What a deployment takes from the environment: for functions, and for the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib import telemetry
from chalicelib.config import ConfigurationError

#: Settings of the local run alone: no function has a use for them.
_NOT_FOR_FUNCTIONS: Final = frozenset(
    {
        "EVENTYARD_ALARM_TOPIC",
        "EVENTYARD_PORT",
        "EVENTYARD_EMULATOR_PORT",
        "EVENTYARD_STATE",
        "EVENTYARD_URL",
        "EVENTYARD_API_KEY",
        "EVENTYARD_QUEUE_VISIBILITY_S",
        "EVENTYARD_RETENTION_DAYS",
        "EVENTYARD_STAGE",
        "EVENTYARD_TARGET_QUEUES",
    }
)
#: What functions are given that others named.
_FOR_FUNCTIONS: Final = frozenset(
    {
        "GEMINI_API_KEY",
        "GEMINI_AI_MODEL",
        "OPENAI_API_KEY",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "TELEMETRY_ENABLED",
        "TELEMETRY_TRACE_SAMPLE_RATE",
    }
)
#: Whose key whoever makes vectors needs.
EMBEDDING_KEYS: Final = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}


class DeployError(Exception):
    """The stack could not be deployed; the text says what to do."""


def settings_from(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables that functions are given.

    Raises DeployError where a function could do nothing but refuse them.
    """
    given = {
        name: value
        for name, value in environment.items()
        if name in _FOR_FUNCTIONS
        or (name.startswith("EVENTYARD_") and name not in _NOT_FOR_FUNCTIONS)
    }
    if given.get("EVENTYARD_ANALYST") == "gemini" and not given.get("GEMINI_API_KEY"):
        raise DeployError("EVENTYARD_ANALYST=gemini needs GEMINI_API_KEY.")
    needed = EMBEDDING_KEYS.get(given.get("EVENTYARD_EMBEDDINGS", ""))
    if needed is not None and not given.get(needed):
        raise DeployError(
            f"EVENTYARD_EMBEDDINGS={given['EVENTYARD_EMBEDDINGS']} needs {needed}."
        )
    try:
        # Functions go on without telemetry where its settings make no sense.
        telemetry.from_environment(given)
    except ConfigurationError as error:
        raise DeployError(str(error)) from None
    return given


def parameters_from(environment: Mapping[str, str], stage: str) -> dict[str, str]:
    """Return the template's parameters as the environment sets them."""
    wanted = {
        "Stage": stage,
        "RetentionDays": environment.get("EVENTYARD_RETENTION_DAYS", ""),
        "QueueVisibility": environment.get("EVENTYARD_QUEUE_VISIBILITY_S", ""),
        "TargetQueues": environment.get("EVENTYARD_TARGET_QUEUES", ""),
        "AlarmTopic": environment.get("EVENTYARD_ALARM_TOPIC", ""),
    }
    return {name: value for name, value in wanted.items() if value}
