"""
The bus as the design document writes it: its blocks, as they stand, run.

| Section | Block | Here |
| --- | --- | --- |
| Event Types | the enum | covered: every name and value of it |
| Helper pour Sync Code | `_publish_event` | covered: orchestration/test_seed.py |
| API | subscribe, publish, history | run |
| Use Cases 1 | agent coordination | run |
| Use Cases 2 | knowledge sharing | run: rag/test_seed.py |
| Use Cases 3 | conflict detection | run; as a part, `ConflictDetector` |
| Use Cases 4 | auto assignment | run: orchestration/test_seed.py; as a part, `AutoAssigner` |
| Performance | concurrent, isolated | run; concurrency by a barrier, not by a clock |
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import pytest

from eventyard.events import Event, EventType, event_bus
from tests import seeds
from tests.awaiting import awaited

#: The document's import; this package stands in the place of its own.
IMPORT: Final = "from eventyard.events import event_bus, Event, EventType"

MEMBERS: Final = """
    # Agent events
    AGENT_STARTED = "agent.started"
    AGENT_TASK_COMPLETED = "agent.task.completed"
    AGENT_TOOL_EXECUTED = "agent.tool.executed"

    # Memory events
    MEMORY_CREATED = "memory.created"
    MEMORY_SHARED = "memory.shared"  # Circle/project scope

    # Circle events
    CIRCLE_CREATED = "circle.created"
    CIRCLE_MEMBER_ADDED = "circle.member.added"

    # Task events
    TASK_CREATED = "task.created"
    TASK_STARTED = "task.started"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_CONFLICT_DETECTED = "task.conflict.detected"

    # Conversation events
    CONVERSATION_MESSAGE = "conversation.message"

    # System events
    SYSTEM_ERROR = "system.error"
"""

SUBSCRIBE: Final = (
    IMPORT
    + """

async def on_task_complete(event: Event):
    print(f"Task {event.data['task_id']} completed!")

# Subscribe à tous les events
event_bus.subscribe(EventType.TASK_COMPLETED, on_task_complete)

# Subscribe avec filtre
event_bus.subscribe(
    EventType.TASK_COMPLETED,
    on_task_complete,
    filter_fn=lambda e: e.circle_id == 1  # Circle 1 seulement
)
"""
)

PUBLISH: Final = """
await event_bus.publish(Event(
    type=EventType.TASK_COMPLETED,
    data={"task_id": 123, "result": "success"},
    source_agent_id=1,
    circle_id=5,
    project_id=1,
))
"""

HISTORY: Final = """
# Get last 10 task completions
events = event_bus.get_history(EventType.TASK_COMPLETED, limit=10)

# Get circle 1 events
events = event_bus.get_history(circle_id=1)

# Get stats
stats = event_bus.get_stats()
"""

COORDINATION: Final = """
# Agent 1 completes task
await event_bus.publish(Event(
    type=EventType.TASK_COMPLETED,
    data={"task_id": 123, "output_file": "results.json"},
    source_agent_id=1,
    circle_id=5,
))

# Agent 2 automatically processes result
async def on_task_done(event: Event):
    await process_file(event.data["output_file"])

event_bus.subscribe(
    EventType.TASK_COMPLETED,
    on_task_done,
    filter_fn=lambda e: e.circle_id == 5
)
"""

CONFLICTS: Final = """
file_locks = {}

async def detect_conflicts(event: Event):
    if event.data.get("tool_name") in ("fs_write", "fs_edit"):
        file_path = event.data["params"]["path"]
        if file_path in file_locks:
            # Conflict!
            await event_bus.publish(Event(
                type=EventType.TASK_CONFLICT_DETECTED,
                data={
                    "file_path": file_path,
                    "agent1": file_locks[file_path],
                    "agent2": event.source_agent_id,
                }
            ))
        else:
            file_locks[file_path] = event.source_agent_id

event_bus.subscribe(EventType.AGENT_TOOL_EXECUTED, detect_conflicts)
"""

ISOLATION: Final = """
async def bad_handler(event):
    raise ValueError()  # Caught, logged, doesn't propagate

async def good_handler(event):
    print("Still runs!")  # Executes normally
"""


@pytest.fixture(autouse=True)
def fresh():
    event_bus.reset()
    yield
    event_bus.reset()


async def run(block, **names):
    """Run a block with what the document has imported."""
    given = {"event_bus": event_bus, "Event": Event, "EventType": EventType}
    return await seeds.run(block, **given, **names)


def test_every_type_that_is_named_is_there():
    named = re.findall(r'(\w+) = "([\w.]+)"', MEMBERS)
    assert len(named) == 14
    assert [EventType[name].value for name, _ in named] == [value for _, value in named]


@awaited
async def test_subscribe_publish_and_look_back(capsys):
    await run(SUBSCRIBE)
    await run(PUBLISH)
    assert capsys.readouterr().out == "Task 123 completed!\n"
    told = await run(HISTORY)
    assert told["events"] == []
    assert told["stats"] == {
        "events_published": 1,
        "events_delivered": 1,
        "handler_errors": 0,
        "events_deduplicated": 0,
        "active_subscribers": 2,
        "history_size": 1,
    }


@awaited
async def test_an_agent_goes_on_with_what_another_completed():
    processed = []

    async def process_file(name):
        processed.append(name)

    await run(COORDINATION, process_file=process_file)
    assert processed == []
    await run(COORDINATION.partition("# Agent 2")[0])
    assert processed == ["results.json"]


@awaited
async def test_two_agents_that_write_one_file_are_a_conflict():
    await run(CONFLICTS)
    conflict = event_bus.expect(EventType.TASK_CONFLICT_DETECTED)
    for agent in (1, 2):
        data = {"tool_name": "fs_write", "params": {"path": "a.py"}}
        await event_bus.publish(
            Event(type=EventType.AGENT_TOOL_EXECUTED, data=data, source_agent_id=agent)
        )
    assert (await conflict).data == {"file_path": "a.py", "agent1": 1, "agent2": 2}


@awaited
async def test_three_handlers_that_wait_do_so_at_the_same_time():
    together = asyncio.Barrier(3)
    for _ in range(3):
        event_bus.subscribe("a.b", lambda _: together.wait())
    async with asyncio.timeout(5):
        await event_bus.publish(Event("a.b"))
    assert event_bus.get_stats()["events_delivered"] == 3


@awaited
async def test_a_bad_handler_does_not_stop_a_good_one(capsys):
    there = await run(ISOLATION)
    event_bus.subscribe("a.b", there["bad_handler"])
    event_bus.subscribe("a.b", there["good_handler"])
    await event_bus.publish(Event("a.b"))
    assert capsys.readouterr().out == "Still runs!\n"
    assert event_bus.get_stats()["handler_errors"] == 1


@awaited
async def test_a_thousand_events_are_remembered_and_no_more():
    for number in range(1_100):
        await event_bus.publish(Event("a.b", {"n": number}))
    assert event_bus.get_stats()["history_size"] == 1_000
