"""Functions die, the platform restarts, messages repeat: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
import time
from typing import Self

import pytest

from tests.e2e.listener import Listener
from tests.e2e.running import RunningPlatform, holds_work, stop, wait_until


class Publisher:
    """
    Publishes one event after another until told to stop.

    Each has an idempotency key and is sent again until it is acknowledged, as a
    careful client does; `acknowledged` maps ids to numbers.
    """

    def __init__(self, running: RunningPlatform, topic: str) -> None:
        self._running, self.topic = running, topic
        self.acknowledged: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            self._publish(number)

    def _publish(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                event_id = self._running.publish(
                    self.topic,
                    {"n": number},
                    Idempotency_Key=f"{self.topic}-{number}",
                )
            except (OSError, RuntimeError, ValueError):
                time.sleep(0.05)
                continue
            self.acknowledged[event_id] = number
            return


def redrive(running: RunningPlatform) -> None:
    """Do what an operator does: a message killed five times is a dead letter."""
    for queue in running.get("/api/v1/queues")["queues"]:
        if queue["dead"]:
            # Whatever this one does not reach, the next round does.
            with contextlib.suppress(OSError, ValueError):
                running.request("POST", f"/api/v1/queues/{queue['name']}/redrive")


def assert_all_arrive(
    running: RunningPlatform, publisher: Publisher, listener: Listener
) -> None:
    def arrived():
        redrive(running)
        return set(publisher.acknowledged) <= set(listener.heard)

    wait_until(arrived, 120, f"{len(publisher.acknowledged)} events at the socket")
    logged = running.logged(publisher.topic)
    numbers = {identity: event["payload"]["n"] for identity, event in logged.items()}
    assert publisher.acknowledged.items() <= numbers.items()
    assert len(numbers) == len(set(numbers.values())), "a retry appended twice"


def kill_workers(running: RunningPlatform, topic: str, seconds: float) -> None:
    functions = itertools.cycle(["route", "relay", "fan-out", "api"])
    with Listener(running.live, topic) as listener:
        with Publisher(running, topic) as publisher:
            until = time.monotonic() + seconds
            killed = 0
            while time.monotonic() < until:
                time.sleep(0.3)
                killed += running.kill_worker(next(functions))
        assert killed > 0, "no worker was there to kill"
        assert publisher.acknowledged
        assert_all_arrive(running, publisher, listener)


def restart_under_load(running: RunningPlatform, topic: str, times: int) -> None:
    with (
        Listener(running.live, topic) as listener,
        Publisher(running, topic) as publisher,
    ):
        for _ in range(times):
            enough = len(publisher.acknowledged) + 20
            wait_until(lambda n=enough: len(publisher.acknowledged) > n)
            assert running.stop(signal.SIGTERM) == 0
            running.start()
        enough = len(publisher.acknowledged) + 20
        wait_until(lambda: len(publisher.acknowledged) > enough)
        publisher.stop()
        assert_all_arrive(running, publisher, listener)


@pytest.mark.parametrize(
    "function", ["relay", pytest.param("route", marks=pytest.mark.soak)]
)
def test_a_function_killed_while_it_holds_an_event_loses_nothing(
    own_platform, function
):
    own_platform.start()
    with Listener(own_platform.live, "held.*") as listener:
        before = own_platform.publish("held.before", {})
        wait_until(lambda: before in listener.heard, what="a warm way")

        def handed_over() -> bool:
            return any(map(holds_work, own_platform.workers(function)))

        wait_until(lambda: not handed_over(), what="quiet")
        for pid in own_platform.workers(function):
            stop(pid)

        held = own_platform.publish("held.x", {"n": 1})
        wait_until(handed_over, what="the hand-over")
        assert own_platform.kill_worker(function) > 0

        wait_until(lambda: held in listener.heard, what="the event after all")
    assert own_platform.get(f"/api/v1/events/{held}")["payload"] == {"n": 1}


@pytest.mark.soak
def test_killed_functions_lose_no_acknowledged_event(own_platform):
    own_platform.start()

    kill_workers(own_platform, "killed.x", seconds=6)


@pytest.mark.soak
def test_a_restart_under_load_loses_no_acknowledged_event(own_platform):
    own_platform.start()

    restart_under_load(own_platform, "restarted.x", times=1)


@pytest.mark.soak
def test_a_commit_not_yet_relayed_when_the_platform_stopped_is_relayed_after(
    own_platform,
):
    own_platform.start()
    own_platform.connect("relay", enabled=False)
    with Listener(own_platform.live, "left.*") as listener:
        event_id = own_platform.publish("left.behind", {})
        own_platform.stop()

        own_platform.start()

        wait_until(lambda: event_id in listener.heard, what="the sweep's relaying")


@pytest.mark.soak
def test_the_supervisor_killed_leaves_an_emulator_that_the_next_start_ends(
    own_platform,
):
    own_platform.start()
    event_id = own_platform.publish("kept.x", {"n": 1})
    leftover = own_platform.emulator_pid
    own_platform.kill()

    own_platform.start()

    assert own_platform.emulator_pid != leftover
    assert own_platform.get(f"/api/v1/events/{event_id}")["payload"] == {"n": 1}


@pytest.mark.soak
def test_a_minute_of_killing_loses_no_acknowledged_event(own_platform):
    own_platform.start()

    kill_workers(own_platform, "soaked.x", seconds=60)


@pytest.mark.soak
def test_restart_after_restart_under_load_loses_no_acknowledged_event(own_platform):
    own_platform.start()

    restart_under_load(own_platform, "many.x", times=2)
