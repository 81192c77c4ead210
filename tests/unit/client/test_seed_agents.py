"""The design document's blocks on agents, as it writes them."""

from __future__ import annotations

import asyncio

import pytest

from eventyard import EventRouterClient, event_handler
from eventyard.core import ulid
from eventyard.transports.memory import Broker

_AGENT = '''
from eventyard import EventEnabledAgent

class MyAgent(EventEnabledAgent):
    """Agent with built-in event support."""

    async def on_start(self):
        """Called when agent starts."""
        await self.publish("agent.started", {
            "agent_id": self.id,
            "capabilities": self.capabilities
        })

    @event_handler("task.assigned")
    async def handle_task(self, event):
        """Handle assigned tasks."""
        task = event.payload

        try:
            result = await self.process_task(task)
            await self.publish("task.completed", {
                "task_id": task["id"],
                "result": result
            })
        except Exception as e:
            await self.publish("task.failed", {
                "task_id": task["id"],
                "error": str(e)
            })

    async def process_task(self, task):
        """Process the task."""
        # Implementation here
        return {"status": "success"}
'''

_ORCHESTRATOR = '''
from eventyard import OrchestratorMixin

class WorkflowOrchestrator(OrchestratorMixin):
    """Orchestrator with event coordination."""

    async def execute_workflow(self, workflow_id: str):
        """Execute a workflow with event tracking."""

        # Start workflow
        await self.publish_workflow_event("started", workflow_id)

        # Execute steps with event coordination
        async with self.workflow_context(workflow_id) as ctx:
            # Step 1: Assign task
            task_event = await ctx.publish_and_wait(
                "task.assign",
                {"task": "analyze_code"},
                wait_for="task.completed",
                timeout=30
            )

            # Step 2: Based on result, route to next step
            if task_event.payload["result"]["issues"]:
                await ctx.publish("review.needed", {
                    "issues": task_event.payload["result"]["issues"]
                })
            else:
                await ctx.publish("deployment.approved", {
                    "workflow_id": workflow_id
                })

        # Workflow complete
        await self.publish_workflow_event("completed", workflow_id)
'''


def run(block, act):
    """Define what a block defines, and do something with it over a fresh router."""
    # The document uses this without a line that brings it.
    names = {"event_handler": event_handler}
    exec(compile(block, "seed", "exec"), names)
    name = ulid.new_ulid()

    async def main():
        async with (
            EventRouterClient(url=f"memory://{name}") as client,
            asyncio.timeout(20),
            client.subscribe("**") as told,
        ):
            return await act(names, client, told)

    try:
        return asyncio.run(main())
    finally:
        Broker.forget(name)


def test_the_agent_tells_that_it_started_and_completes_its_task():
    async def act(names, client, told):
        agent = names["MyAgent"](client, id="a-1", capabilities=["review"])
        async with agent:
            await client.publish("task.assigned", {"id": 7})
            return [await told.next() for _ in range(3)]

    started, assigned, completed = run(_AGENT, act)

    assert started.type == "agent.started"
    assert started.payload == {"agent_id": "a-1", "capabilities": ["review"]}
    assert completed.type == "task.completed"
    assert completed.payload == {"task_id": 7, "result": {"status": "success"}}
    assert completed.causation_id == assigned.id


def test_the_agents_own_failure_is_published():
    async def act(names, client, told):
        class Failing(names["MyAgent"]):
            async def process_task(self, task):
                raise ValueError("no such task")

        async with Failing(client):
            await client.publish("task.assigned", {"id": 8})
            return [await told.next() for _ in range(3)]

    *_, failed = run(_AGENT, act)

    assert failed.type == "task.failed"
    assert failed.payload == {"task_id": 8, "error": "no such task"}


@pytest.mark.parametrize(
    ("issues", "step"), [(["x"], "review.needed"), ([], "deployment.approved")]
)
def test_the_orchestrator_goes_on_by_what_the_task_found(issues, step):
    async def act(names, client, told):
        @client.on("task.assign")
        async def analyse(event):
            await client.publish("task.completed", {"result": {"issues": issues}})

        await client.connect()
        await names["WorkflowOrchestrator"](client).execute_workflow("wf-1")
        return [await told.next() for _ in range(5)]

    events = run(_ORCHESTRATOR, act)

    assert [event.type for event in events] == [
        "workflow.started",
        "task.assign",
        "task.completed",
        step,
        "workflow.completed",
    ]
    assert {event.correlation_id for event in events} == {"wf-1"}
