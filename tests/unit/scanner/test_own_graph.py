"""Eventyard scans itself; what it finds was read in the code by hand."""

from __future__ import annotations

from pathlib import Path

from eventyard.core.graph.model import FlowModel
from eventyard.scanner import EventFlowAnalyzer
from eventyard.scanner.settings import load
from tests.unit.scanner.conftest import edges_of

_ROOT = Path(__file__).parent.parent.parent.parent
_SETTINGS = load(_ROOT / "event_flow_config.yaml")


def scanned(folder: str) -> FlowModel:
    read_by = _SETTINGS.read_by()
    return EventFlowAnalyzer(_ROOT / folder, read_by=read_by).analyze()


def test_what_subscriptions_tell_the_audit_trail():
    model = scanned("chalicelib/subscriptions")

    assert edges_of(model, "subscribes") == []
    assert edges_of(model, "publishes") == [
        ("dead", "eventyard.dead_letters.purged"),
        ("dead", "eventyard.dead_letters.retried"),
        ("service", "eventyard.subscription.changed"),
        ("service", "eventyard.subscription.created"),
        ("service", "eventyard.subscription.disabled"),
        ("service", "eventyard.subscription.paused"),
        ("service", "eventyard.subscription.removed"),
        ("service", "eventyard.subscription.resumed"),
        ("service", "eventyard.subscription.secret_rotated"),
        ("walks", "eventyard.replay.cancelled"),
        ("walks", "eventyard.replay.started"),
    ]


def test_the_places_of_what_is_told_are_those_of_the_calls():
    for edge in scanned("chalicelib/subscriptions").edges:
        for site in edge.sites:
            path = _ROOT / "chalicelib" / "subscriptions" / site.file
            line = path.read_text().splitlines()[site.line - 1]
            assert "tell(" in line
            assert edge.event.removeprefix("eventyard.") in line


def test_the_queues_that_the_application_listens_to():
    # Of the whole repository: app.py stands at its top.
    found = edges_of(scanned("."), "subscribes")

    assert [event for agent, event in found if agent == "app"] == [
        "chores",
        "deliveries",
        "insights",
        "jobs",
        "live",
        "log-stream",
        "pulls",
        "routing",
        "scraping",
        "urgent",
    ]
