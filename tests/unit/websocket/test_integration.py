"""Events of the bus, shown to whoever is connected."""

from __future__ import annotations

import json

import pytest

from eventyard import Event
from eventyard.events import EventType, event_bus
from eventyard.websocket import ConnectionManager, manager
from eventyard.websocket.integration import (
    DEFAULT_BROADCAST_EVENTS,
    setup_custom_broadcasting,
    setup_websocket_broadcasting,
    stop_broadcasting,
)
from tests.awaiting import awaited


class Socket:
    def __init__(self):
        self.messages = []

    async def send_text(self, text):
        self.messages.append(json.loads(text))


@pytest.fixture
def live(monkeypatch):
    """The manager of the process, fresh for a test, and nothing shown."""
    made = ConnectionManager()
    monkeypatch.setattr(manager, "_made", made)
    event_bus.reset()
    yield made
    stop_broadcasting()
    event_bus.reset()


async def shown(live, *events):
    socket = Socket()
    await live.connect(socket)
    for event in events:
        await event_bus.publish(event)
    return socket.messages


@awaited
async def test_the_usual_events_are_shown(live):
    setup_websocket_broadcasting()
    events = [Event(kind) for kind in EventType]
    assert len(DEFAULT_BROADCAST_EVENTS) == 13
    messages = await shown(live, *events)
    assert {one["type"] for one in messages} == {*DEFAULT_BROADCAST_EVENTS}
    assert len(messages) == 13


@awaited
async def test_setting_it_up_twice_shows_each_once(live):
    setup_websocket_broadcasting()
    setup_websocket_broadcasting()
    setup_websocket_broadcasting([EventType.TASK_CREATED, "task.created"])
    assert len(await shown(live, Event("task.created"))) == 1


@pytest.mark.parametrize("none", [None, []])
@awaited
async def test_no_types_mean_the_usual_ones(live, none):
    setup_websocket_broadcasting(none)
    assert event_bus.get_stats()["active_subscribers"] == 13


@awaited
async def test_after_a_reset_of_the_bus_it_is_set_up_anew(live):
    setup_websocket_broadcasting(["a.b"])
    event_bus.reset()
    setup_websocket_broadcasting(["a.b"])
    assert len(await shown(live, Event("a.b"))) == 1


@awaited
async def test_an_event_has_the_shape_that_dashboards_read(live):
    setup_websocket_broadcasting()
    event = Event("task.created", {"id": 1}, source_agent_id=2, circle_id=3)
    (message,) = await shown(live, event)
    assert message == {
        "type": "task.created",
        "data": {"id": 1},
        "source_agent_id": 2,
        "circle_id": 3,
        "project_id": None,
        "event_id": event.id,
        "timestamp": event.timestamp.isoformat(),
    }


@awaited
async def test_a_filter_of_ones_own_takes_the_place_of_what_held(live):
    setup_websocket_broadcasting()
    setup_custom_broadcasting("task.created", lambda event: event.circle_id == 1)
    setup_custom_broadcasting(EventType.SYSTEM_ERROR)
    messages = await shown(
        live,
        Event("task.created", circle_id=1),
        Event("task.created", circle_id=2),
        Event("system.error"),
    )
    assert [one["type"] for one in messages] == ["task.created", "system.error"]


@awaited
async def test_showing_can_end(live):
    setup_websocket_broadcasting(["a.b", "a.c"])
    stop_broadcasting("a.b")
    stop_broadcasting("a.b")
    assert [m["type"] for m in await shown(live, Event("a.b"), Event("a.c"))] == ["a.c"]
    stop_broadcasting()
    assert event_bus.get_stats()["active_subscribers"] == 0


@awaited
async def test_with_nobody_there_nothing_is_said(live):
    setup_websocket_broadcasting()
    await event_bus.publish(Event("task.created"))
    assert live.total_broadcasts == 0
