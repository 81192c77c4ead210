from __future__ import annotations

import pytest

from chalicelib import health
from chalicelib.health import Unwell, check


def fine():
    """Find nothing."""


def unwell():
    raise Unwell("3 dead letters")


def broken():
    raise RuntimeError("a secret of the inside")


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ({"a": fine, "b": fine}, "healthy"),
        ({"a": fine, "b": unwell}, "degraded"),
        ({"a": unwell, "b": broken}, "unhealthy"),
        ({"a": broken, "b": fine}, "unhealthy"),
    ],
)
def test_the_worst_finding_is_the_state_of_the_whole(checks, status):
    assert check(checks)["status"] == status


def test_each_check_says_what_it_found():
    found = check({"a": fine, "b": unwell})

    assert found["checks"] == {"a": "ok", "b": "3 dead letters"}


def test_a_failure_is_told_to_the_log_and_not_to_the_world(capsys):
    found = check({"a": broken})

    assert found["checks"] == {"a": "RuntimeError: see the log"}
    assert "a secret of the inside" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("queue", "finding"),
    [
        ({"waiting": 8_000, "dead": 0}, None),
        ({"waiting": 8_001, "dead": 0}, "8001 messages wait in q"),
        ({"waiting": 0, "dead": 2}, "2 dead letters of q"),
    ],
)
def test_a_queue_may_be_deep_but_not_too_deep_and_nothing_may_die(queue, finding):
    def run():
        health.queues(lambda: [{"name": "q", **queue}])

    found = check({"queue": run})["checks"]["queue"]

    assert found == (finding or "ok")
