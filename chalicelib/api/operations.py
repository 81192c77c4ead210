"""`/health`, `/metrics`, `/api/v1/stats` and the queues: how the platform does."""

from __future__ import annotations

from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import CONFIG, Call, Routes, answer_json
from chalicelib.api._parameters import limit

routes = Routes(__name__)
_SHOWN: Final = limit(20, highest=100)
_TAKEN: Final = limit(100, highest=1000)
ADMIN: Final = "admin"
READ: Final = "events:subscribe"
_METRICS: Final = (
    ("events_published", "counter", "Events accepted into the log"),
    ("events_delivered", "counter", "Messages sent to live connections"),
    ("active_subscriptions", "gauge", "Subscriptions of live connections"),
    ("connections", "gauge", "Open live connections"),
    ("queue_depth", "gauge", "Messages on their way between functions"),
    ("dead_letters", "gauge", "Messages that wait for an operator"),
    ("relay_lag_ms", "gauge", "How long the oldest commit waits to be relayed"),
)


@routes.get(
    "/health",
    answer="operations.Health",
    also={503: ("Part of it does not answer.", "operations.Health")},
)
def health(call: Call) -> Response:
    """Check what the platform stands on; 503 when part of it does not answer."""
    found = call.platform.health()
    return answer_json(found, 503 if found["status"] == "unhealthy" else 200)


@routes.get(CONFIG, answer="operations.Config")
def config(call: Call) -> Any:
    """Tell pages and clients where the live address is."""
    return call.platform.public_config()


@routes.get("/api/v1/stats", scope=READ, answer="operations.Stats")
def stats(call: Call) -> Any:
    """Count what was published and delivered."""
    return call.platform.stats()


@routes.get("/metrics", scope=READ, media="text/plain")
def metrics(call: Call) -> Response:
    """Tell the same counts in Prometheus' text format."""
    return Response(
        body=_exposition(call.platform.stats()),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def _exposition(counts: dict[str, Any]) -> str:
    lines = []
    for name, kind, meaning in _METRICS:
        # Prometheus' convention: what only grows ends in _total.
        suffix = "_total" if kind == "counter" else ""
        full = f"event_router_{name}{suffix}"
        lines += [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}"]
        lines += [f"{full} {counts[name]}"]
    return "\n".join(lines) + "\n"


@routes.get("/ws/stats", scope=READ, answer="operations.LiveStats")
def live_stats(call: Call) -> Any:
    """Describe the live connections."""
    return call.platform.live.stats()


@routes.get("/api/v1/queues", scope=READ, answer="operations.Queues")
def list_queues(call: Call) -> Any:
    """List the queues with what waits and what died in them."""
    return {"queues": call.platform.queues.all()}


@routes.get(
    "/api/v1/queues/{name}/dead-letters",
    scope=ADMIN,
    query=(_SHOWN,),
    answer="operations.DeadMessages",
)
def dead_letters(call: Call, name: str) -> Any:
    """Show dead letters with their reasons, leaving them where they are."""
    shown = call.platform.queues.dead_letters(name, call.take(_SHOWN))
    return {"dead_letters": shown}


@routes.post(
    "/api/v1/queues/{name}/redrive",
    scope=ADMIN,
    query=(_TAKEN,),
    answer="operations.Redriven",
)
def redrive(call: Call, name: str) -> Any:
    """Send dead letters on their way again."""
    return call.platform.queues.redrive(name, call.take(_TAKEN))


@routes.delete(
    "/api/v1/queues/{name}/dead-letters",
    scope=ADMIN,
    query=(_TAKEN,),
    answer="operations.PurgedQueue",
)
def purge(call: Call, name: str) -> Any:
    """Throw dead letters away."""
    return call.platform.queues.purge(name, call.take(_TAKEN))
