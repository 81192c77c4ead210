"""Checks that can fail, and what they say when they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from chalicelib.aws import Aws, Item
from chalicelib.table import Table
from chalicelib.telemetry import log_error

OK: Final = "ok"
#: The sweep ticks every minute; a checkpoint this old means it stands still.
_STALLED_MS: Final = 5 * 60_000
_DEEP: Final = 8_000


class Unwell(Exception):  # noqa: N818 - says how something is
    """A check found something wrong that still lets the platform work."""


def check(checks: Mapping[str, Callable[[], None]]) -> dict[str, Any]:
    """
    Run each check; return the state of the whole and what each found.

    `healthy`, `degraded` (it works, but somebody should look) or `unhealthy`.
    """
    found = {name: _run(name, run) for name, run in checks.items()}
    states = {state for state, _ in found.values()}
    worst = next(s for s in ("unhealthy", "degraded", "healthy") if s in states)
    return {
        "status": worst,
        "checks": {name: text for name, (_, text) in found.items()},
    }


def _run(name: str, run: Callable[[], None]) -> tuple[str, str]:
    try:
        run()
    except Unwell as finding:
        return "degraded", str(finding)
    except Exception as error:  # noqa: BLE001 - whatever fails is what it reports
        log_error("a health check failed", error, check=name)
        return "unhealthy", f"{type(error).__name__}: see the log"
    return "healthy", OK


def persistence(table: Table) -> None:
    """Check that the table answers."""
    table.get("checkpoint", "relay")


def transport(aws: Aws, topic_arn: str, stalled_ms: Callable[[], int]) -> None:
    """Check that the topic is there and the relay keeps up."""
    aws.sns.get_topic_attributes(TopicArn=topic_arn)
    stalled = stalled_ms()
    if stalled > _STALLED_MS:
        raise Unwell(f"the sweep has not run for {stalled // 1000} s")


def queues(list_queues: Callable[[], list[Item]]) -> None:
    """Check that the queues answer, are not too deep, and nothing died."""
    for queue in list_queues():
        if queue["waiting"] > _DEEP:
            raise Unwell(f"{queue['waiting']} messages wait in {queue['name']}")
        if queue["dead"]:
            raise Unwell(f"{queue['dead']} dead letters of {queue['name']}")


class Progress(Protocol):
    """How far the relay has come."""

    @property
    def published(self) -> int:
        """How many events were ever published."""
        ...

    @property
    def lag_ms(self) -> int:
        """How long the oldest waits for SNS."""
        ...


def statistics(
    live: Mapping[str, Any],
    queues: Sequence[Mapping[str, Any]],
    relayed: Progress,
    undelivered: int,
) -> dict[str, Any]:
    """Count what was published and delivered, and what is on its way."""
    failed, sent = live["total_messages_failed"], live["total_messages_sent"]
    return {
        "events_published": relayed.published,
        "events_delivered": sent,
        "active_subscriptions": live["active_subscriptions"],
        "queue_depth": sum(q["waiting"] + q["in_flight"] for q in queues),
        "error_rate": round(failed / (failed + sent), 6) if failed else 0.0,
        "connections": live["active_connections"],
        "relay_lag_ms": relayed.lag_ms,
        "dead_letters": sum(q["dead"] for q in queues),
        "undelivered": undelivered,
    }
