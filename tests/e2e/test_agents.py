"""Agents, a workflow, management and `eventyard subscribe`, by the running platform."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from eventyard.agents import EventEnabledAgent, OrchestratorMixin, event_handler
from eventyard.client import EventRouterClient
from eventyard.management import ManagementAgent
from eventyard.testing import Recorder
from tests.e2e.running import in_a_loop

_COMMAND = [sys.executable, "-c", "from eventyard.cli import main; main()"]


class Worker(EventEnabledAgent):
    @event_handler("e2e.task.assign")
    async def on_task(self, event):
        await self.publish("e2e.task.completed", {"n": event.payload["n"] * 2})


class Lead(OrchestratorMixin):
    pass


def test_a_workflow_of_two_clients_waits_for_each_of_its_answers(running):
    async def main():
        url = running.address
        async with (
            EventRouterClient(url=url) as one,
            EventRouterClient(url=url) as two,
            Worker(two, id="worker"),
            Lead(one, id="lead").workflow_context("wf-e2e") as ctx,
        ):
            asked = [
                ctx.publish_and_wait(
                    "e2e.task.assign", {"n": n}, wait_for="e2e.task.completed"
                )
                for n in range(5)
            ]
            return await asyncio.gather(*asked)

    answers = in_a_loop(main)

    assert [one.payload["n"] for one in answers] == [0, 2, 4, 6, 8]
    assert {(one.source, one.correlation_id) for one in answers} == {
        ("worker", "wf-e2e")
    }


def test_the_platform_is_looked_after_through_a_client(running):
    async def main():
        async with EventRouterClient(url=running.address, client_id="kept") as client:
            await client.subscribe("e2e.managed.*", print)
            manager = ManagementAgent(client, sample_s=0.1)
            subscriptions = await manager.list_subscriptions()
            stats = await manager.get_stats()
            health = await manager.health_check()
            return subscriptions, stats, health, await manager.get_dead_letter_queue()

    subscriptions, stats, health, dead = in_a_loop(main)

    topics = {one.client_id: list(one.topics) for one in subscriptions}
    assert topics["kept"] == ["e2e.managed.*"]
    assert stats.total_events == stats.events_published > 0
    assert health.status in ("healthy", "degraded")
    assert isinstance(dead, list)


def test_a_recorder_records_from_the_platform(running):
    async def main():
        async with (
            EventRouterClient(url=running.address) as client,
            Recorder(client, "e2e.recorded.*") as recorder,
        ):
            await client.publish("e2e.recorded.x", {"n": 1})
            await recorder.wait_for(1, timeout=20)
            recorder.assert_published("e2e.recorded.x", {"n": 1}, times=1)

    in_a_loop(main)


@pytest.mark.parametrize("durable", [(), ("--durable", "e2e-mailer")])
def test_subscribe_prints_each_event_once_and_ends(running, durable):
    process = subprocess.Popen(
        [*_COMMAND, "subscribe", "e2e.told", "--json", "--count", "3", *durable],
        env={**os.environ, "EVENTYARD_URL": running.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert "subscribed to e2e.told" in process.stderr.readline()
        for n in range(3):
            running.publish("e2e.told", {"n": n})
        out, told = process.communicate(timeout=60)

    assert process.returncode == 0, told
    # Frames of two commits may overtake each other on the live channel.
    payloads = [json.loads(line)["payload"]["n"] for line in out.splitlines()]
    assert sorted(payloads) == [0, 1, 2]
