"""Agents that write to one file; seed use case 3, without its faults."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.events import Event, EventBus, EventType
from eventyard.orchestration import ConflictDetector, FileLeases
from eventyard.orchestration.paths import normal_path
from tests.fakes import Clock


@pytest.fixture
def bus():
    return EventBus.separate()


@pytest.fixture
def clock():
    return Clock(1_000.0)


@pytest.fixture
def detector(bus, clock):
    return ConflictDetector(bus, leases=FileLeases(60, clock)).start()


def written(agent, path="a.py", tool="fs_write", **more):
    data = {"tool_name": tool, "params": {"path": path}, **more.pop("data", {})}
    return Event(EventType.AGENT_TOOL_EXECUTED, data, source_agent_id=agent, **more)


def tell(bus, *events):
    async def all_of_them():
        for event in events:
            await bus.publish(event)

    asyncio.run(all_of_them())
    return [e.data for e in conflicts(bus)]


def conflicts(bus):
    return bus.get_history(EventType.TASK_CONFLICT_DETECTED)[::-1]


def test_a_second_writer_is_told_of_with_both_agents(bus, detector):
    told = tell(bus, written(1, circle_id=5), written(2, tool="fs_edit", circle_id=5))

    assert told == [{"file_path": "a.py", "agent1": 1, "agent2": 2}]
    (event,) = conflicts(bus)
    assert (event.circle_id, event.source_agent_id) == (5, 2)
    assert bus.get_stats()["handler_errors"] == 0


@pytest.mark.parametrize(
    "path", ["./src/a.py", "src//a.py", "src/x/../a.py", "src\\a.py", "src/./a.py"]
)
def test_one_file_is_one_however_it_is_written(bus, detector, path):
    assert len(tell(bus, written(1, "src/a.py"), written(2, path))) == 1


def test_relative_and_absolute_paths_meet_where_the_project_is_known(bus):
    ConflictDetector(bus, project="/home/me/shop").start()
    tell(bus, written(1, "src/a.py"), written(2, "/home/me/shop/src/a.py"))
    assert [e.data["file_path"] for e in conflicts(bus)] == ["/home/me/shop/src/a.py"]


def test_ones_own_rewrites_are_none(bus, detector):
    assert tell(bus, written(1), written("1"), written(1)) == []


def test_reads_failed_writes_and_writers_unknown_are_none(bus, detector):
    failed = written(1, data={"success": False})
    told = tell(bus, written(1, tool="fs_read"), failed, written(None), written(2))
    assert told == []


def test_one_name_in_two_projects_is_two_files(bus, detector):
    assert tell(bus, written(1, project_id="a"), written(2, project_id="b")) == []


def test_it_is_told_once_for_each_who_writes_to_it(bus, detector):
    told = tell(bus, written(1), written(2), written(2), written(3), written(1))
    assert [one["agent2"] for one in told] == [2, 3]


@pytest.mark.parametrize(
    "end",
    [
        Event(EventType.TASK_COMPLETED, {"task_id": 9, "assigned_agent_id": 1}),
        Event(EventType.TASK_FAILED, {"task_id": 9, "assigned_agent_id": 1}),
        Event(EventType.AGENT_TASK_COMPLETED, {"task_id": 9}, source_agent_id=1),
        Event(EventType.AGENT_STOPPED, {}, source_agent_id="1"),
        Event(EventType.CIRCLE_MEMBER_REMOVED, {}, source_agent_id=1),
    ],
    ids=lambda end: end.type,
)
def test_the_end_of_a_task_or_an_agent_lets_its_files_go(bus, detector, end):
    assert tell(bus, written(1), end, written(2)) == []
    assert len(detector.leases) == 1


def test_the_end_of_one_task_keeps_the_files_of_another(bus, detector):
    first = written(1, "a.py", data={"task_id": 1})
    second = written(1, "b.py", data={"task_id": 2})
    end = Event(EventType.TASK_COMPLETED, {"task_id": 1, "assigned_agent_id": 1})
    told = tell(bus, first, second, end, written(2, "a.py"), written(2, "b.py"))
    assert [one["file_path"] for one in told] == ["b.py"]


def test_a_file_is_free_after_a_time_and_each_write_renews_it(bus, detector, clock):
    tell(bus, written(1))
    clock.now += 50
    tell(bus, written(1))
    clock.now += 50
    assert len(tell(bus, written(2))) == 1
    clock.now += 61
    assert len(detector.leases) == 0
    assert len(tell(bus, written(3))) == 1, "and nothing more"


def test_started_twice_it_tells_once_and_stopped_not_at_all(bus, detector):
    detector.start()
    assert len(tell(bus, written(1), written(2))) == 1
    detector.stop()
    detector.stop()
    assert len(tell(bus, written(3))) == 1
    assert bus.get_stats()["active_subscribers"] == 0


@pytest.mark.parametrize(
    "data",
    [
        [],
        "text",
        None,
        {"tool_name": "fs_write"},
        {"tool_name": "fs_write", "params": []},
        {"tool_name": "fs_write", "params": {"path": 3}},
        {"tool_name": "fs_write", "params": {"path": ""}},
        {"tool_name": ["fs_write"], "params": {"path": "a"}},
        {"tool_name": None, "params": {"path": "a"}},
    ],
)
def test_what_makes_no_sense_is_passed_over(bus, detector, data):
    event = Event(EventType.AGENT_TOOL_EXECUTED, data, source_agent_id=1)
    assert tell(bus, event, Event(EventType.TASK_COMPLETED, data)) == []
    assert bus.get_stats()["handler_errors"] == 0


def test_leases_that_ended_are_not_kept_for_ever(clock):
    leases = FileLeases(60, clock)
    for n in range(10_000):
        leases.write(("p", str(n)), 1)
    clock.now += 61
    leases.write(("p", "last"), 1)
    assert len(leases._held) == 1


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("a/../../b", "../b"),
        ("//a/b", "/a/b"),
        ("///a", "/a"),
        ("C:\\x\\y.py", "C:/x/y.py"),
        (".", "."),
    ],
)
def test_paths_have_one_way_of_writing(path, normal):
    assert normal_path(path) == normal
