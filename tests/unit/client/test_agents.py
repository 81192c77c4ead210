"""Agents and orchestrators, over a router of their own."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.agents import EventEnabledAgent, OrchestratorMixin, event_handler
from eventyard.core.errors import (
    SubscriptionError,
    TimeoutError,  # noqa: A004
)
from tests.unit.client.running import with_client


class Listener(EventEnabledAgent):
    def __init__(self, client, **named):
        super().__init__(client, **named)
        self.heard = asyncio.Queue()

    async def on_start(self):
        await self.publish("agent.started", {"capabilities": self.capabilities})

    async def on_stop(self):
        await self.publish("agent.stopped", {})

    @event_handler("task.*", filter={"payload.n": {"$gte": 1}})
    async def on_task(self, event):
        await self.heard.put(("task", event.type, event.payload["n"]))


def test_an_agent_handles_from_start_to_stop_and_publishes_in_its_own_name():
    async def test(client):
        async with client.subscribe("agent.*") as lives:
            agent = Listener(client, id="ears", capabilities=("hear",))
            await client.publish("task.early", {"n": 1})
            async with agent:
                await client.publish("task.a", {"n": 0})
                await client.publish("task.b", {"n": 2})
                assert await agent.heard.get() == ("task", "task.b", 2)
                assert agent.is_running
            await client.publish("task.late", {"n": 3})
            started, stopped = await lives.next(), await lives.next()

        assert agent.heard.empty()
        assert not agent.is_running
        assert started.payload == {"capabilities": ["hear"]}
        assert (started.source, stopped.type) == ("ears", "agent.stopped")

    with_client(test)


def test_an_agent_is_told_of_events_that_its_own_start_leads_to():
    class Eager(Listener):
        @event_handler("agent.started")
        async def on_started(self, event):
            await self.heard.put(event.source)

    async def test(client):
        async with Eager(client, id="eager") as agent:
            assert await agent.heard.get() == "eager"

    with_client(test)


def test_handlers_are_inherited_written_anew_and_taken_back():
    class Child(Listener):
        async def on_task(self, event):
            await self.heard.put(("child", event.type))

        @event_handler("more")
        def on_more(self, event):
            self.heard.put_nowait(("more", event.type))

    class Retold(Child):
        @event_handler("other")
        async def on_task(self, event):
            await self.heard.put(("retold", event.type))

        on_more = None

    async def test(client):
        async with Child(client) as child, Retold(client) as retold:
            await client.publish("task.x", {"n": 1})
            await client.publish("more")
            await client.publish("other")
            heard = {await child.heard.get(), await child.heard.get()}
            assert heard == {("child", "task.x"), ("more", "more")}
            assert await retold.heard.get() == ("retold", "other")
        assert retold.heard.empty()
        assert child.heard.empty()

    with_client(test)


def test_a_handler_that_fails_costs_its_event_alone():
    class Clumsy(Listener):
        @event_handler("drop")
        async def on_drop(self, event):
            raise RuntimeError("oops")

        @event_handler("drop")
        async def on_drop_too(self, event):
            await self.heard.put("heard")

    async def test(client):
        errors = asyncio.Queue()
        client.on_error(lambda error, event: errors.put_nowait((error, event)))
        async with Clumsy(client) as agent:
            for _ in range(2):
                await client.publish("drop")
                assert await agent.heard.get() == "heard"
                error, event = await errors.get()
                assert (str(error), event.type) == ("oops", "drop")

    with_client(test)


def test_an_agent_whose_start_fails_listens_to_nothing():
    class Broken(Listener):
        async def on_start(self):
            raise RuntimeError("not today")

    async def test(client):
        agent = Broken(client)
        with pytest.raises(RuntimeError, match="not today"):
            await agent.start()
        assert not agent.is_running
        assert await client.transport.subscriptions() == []

    with_client(test)


def test_starting_twice_subscribes_once():
    async def test(client):
        agent = Listener(client)
        await asyncio.gather(agent.start(), agent.start())
        assert len(await client.transport.subscriptions()) == 1
        await agent.stop()
        await agent.stop()
        assert await client.transport.subscriptions() == []

    with_client(test)


@pytest.mark.parametrize("types", [(), ("a..b",), (len,)])
def test_a_handler_of_no_type_is_refused_where_it_is_written(types):
    with pytest.raises(SubscriptionError):
        event_handler(*types)(print)


class Lead(OrchestratorMixin):
    pass


def test_a_workflows_stages_carry_its_id():
    async def test(client):
        async with client.subscribe("workflow.*") as stages:
            await Lead(client, id="lead").publish_workflow_event("started", "wf-1")
            stage = await stages.next()
        assert (stage.type, stage.correlation_id) == ("workflow.started", "wf-1")
        assert (stage.source, stage.payload) == ("lead", {"workflow_id": "wf-1"})

    with_client(test)


def test_an_answer_that_comes_at_once_is_not_missed():
    async def test(client):
        @client.on("task.assign")
        async def work(event):
            await client.publish("task.completed", {"of": event.payload})

        await client.connect()
        async with Lead(client).workflow_context("wf-2") as ctx:
            done = await ctx.publish_and_wait(
                "task.assign", {"n": 1}, wait_for="task.completed", timeout=5
            )
        assert (done.payload, done.correlation_id) == ({"of": {"n": 1}}, "wf-2")

    with_client(test)


def test_answers_of_other_workflows_do_not_count():
    async def test(client):
        async with Lead(client).workflow_context("mine") as ctx:
            waiting = asyncio.create_task(
                ctx.publish_and_wait("ask", wait_for=["yes", "no"], timeout=5)
            )
            async with client.subscribe("ask") as asked:
                await client.publish("yes", {"of": "theirs"}, correlation_id="theirs")
                await client.publish("no", {"of": "mine"}, correlation_id="mine")
                assert (await waiting).payload == {"of": "mine"}
                assert asked.is_active

    with_client(test)


def test_several_wait_side_by_side_each_for_its_own_answer():
    async def test(client):
        @client.on("task.assign", concurrency=10)
        async def work(event):
            # The first ones take longest, so answers come in the other order.
            await asyncio.sleep(0.05 / event.payload["n"])
            await client.publish("task.completed", event.payload)

        await client.connect()
        async with Lead(client).workflow_context("wf-3") as ctx:
            asked = [
                ctx.publish_and_wait(
                    "task.assign", {"n": n}, wait_for="task.completed", timeout=5
                )
                for n in range(1, 6)
            ]
            answers = await asyncio.gather(*asked)
        assert [one.payload["n"] for one in answers] == [1, 2, 3, 4, 5]

    with_client(test)


def test_nobody_answering_is_a_timeout_that_says_what_to_look_at():
    async def test(client):
        async with Lead(client).workflow_context("wf-4") as ctx:
            with pytest.raises(TimeoutError, match=r"No done came within 0\.05 s"):
                await ctx.publish_and_wait("ask", wait_for="done", timeout=0.05)
        assert await client.transport.subscriptions() == []

    with_client(test)


def test_what_an_agent_publishes_in_the_block_belongs_to_the_workflow():
    class Both(OrchestratorMixin, EventEnabledAgent):
        pass

    async def test(client):
        async with client.subscribe("**") as all_events, Both(client) as agent:
            async with agent.workflow_context("wf-5") as ctx:
                await agent.publish("within")
                await ctx.publish("ctx")
            await agent.publish("outside")
            told = [await all_events.next() for _ in range(3)]
        assert [one.correlation_id for one in told] == ["wf-5", "wf-5", None]

    with_client(test)


def test_a_handler_that_was_started_in_the_block_answers_to_its_own_events():
    class Echo(EventEnabledAgent):
        @event_handler("ping")
        async def on_ping(self, event):
            await self.publish("pong")

    async def test(client):
        async with client.subscribe("pong") as pongs:
            async with Lead(client).workflow_context("wf-6"):
                echo = await Echo(client).start()
            await client.publish("ping", correlation_id="another")
            pong = await pongs.next()
            await echo.stop()
        assert pong.correlation_id == "another"

    with_client(test)
