"""`eventyard subscribe`, over a router in this process."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time

import pytest
from typer.testing import CliRunner

from eventyard.cli.commands import app
from eventyard.client import EventRouterClient
from eventyard.core import ulid
from eventyard.transports.memory import Broker


@pytest.fixture
def url():
    name = ulid.new_ulid()
    yield f"memory://{name}"
    Broker.forget(name)


@pytest.fixture
def subscribed(url):
    """Publish events once a command has subscribed; return how it ended."""

    def run(*words, events=(), status=0):
        ended = []
        words = ("subscribe", *map(str, words), "--url", url)
        thread = threading.Thread(
            target=lambda: ended.append(CliRunner().invoke(app, words))
        )
        thread.start()
        if events:
            asyncio.run(tell(url, thread, events))
        thread.join(20)
        assert ended[0].exit_code == status, ended[0].output
        return ended[0]

    return run


async def tell(url, thread, events):
    async with EventRouterClient(url=url) as client:
        until = time.monotonic() + 20
        while not await client.transport.subscriptions():
            assert thread.is_alive()
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        for topic, payload in events:
            await client.publish(topic, payload, timestamp="2024-01-01T12:00:00Z")


def test_events_are_printed_as_monitor_does(subscribed):
    done = subscribed(
        *("user.*", "x", "--count", 2),
        events=[("user.a", {"id": 1}), ("other", {}), ("x", [])],
    )
    assert done.stdout == (
        '[2024-01-01 12:00:00] user.a {"id": 1}\n[2024-01-01 12:00:00] x []\n'
    )
    assert done.stderr == "subscribed to user.*, x\n"


def test_programs_get_whole_events_a_line_each(subscribed):
    filters = ("--filter", "payload.n:gte:2")
    done = subscribed(
        *("a", "--json", "--count", 2, *filters),
        events=[("a", {"n": n}) for n in range(1, 4)],
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["payload"]["n"] for one in lines] == [2, 3]
    assert lines[0]["id"].startswith("evt_")


def test_a_command_reads_each_event_in_its_order(subscribed, tmp_path):
    log = tmp_path / "log"
    command = f'echo "$EVENTYARD_EVENT_TYPE" >> {log}; cat >> {log}'
    subscribed(
        *("a.*", "--exec", command, "--count", 2),
        events=[("a.x", {"n": 1}), ("a.y", {"n": 2})],
    )
    lines = log.read_text().splitlines()
    assert lines[::2] == ["a.x", "a.y"]
    assert [json.loads(line)["payload"]["n"] for line in lines[1::2]] == [1, 2]


def test_a_payload_is_no_part_of_a_command(subscribed, tmp_path):
    seen = tmp_path / "seen"
    subscribed(
        *("a", "--exec", f"cat > {seen}", "--count", 1),
        events=[("a", {"x": f"$(touch {tmp_path}/hurt); `touch {tmp_path}/hurt`"})],
    )
    assert not (tmp_path / "hurt").exists()
    assert "touch" in seen.read_text()


def test_a_command_that_fails_costs_its_event_alone_and_is_told(subscribed, tmp_path):
    done = subscribed(
        *("a", "--exec", 'grep -q "fine"', "--count", 3),
        events=[("a", "fine"), ("a", "bad"), ("a", "fine")],
        status=1,
    )
    assert done.stderr.count("the command ended with 1 at evt_") == 1
    assert "1 times the command failed" in done.stderr


def test_a_name_goes_on_where_it_was_left(subscribed):
    durable = ("a", "--json", "--durable", "mailer", "--count")
    first = subscribed(*durable, 1, events=[("a", 1), ("a", 2), ("a", 3)])
    assert [json.loads(one)["payload"] for one in first.stdout.splitlines()] == [1]

    second = subscribed(*durable, 3, events=[("a", 4)])
    payloads = [json.loads(one)["payload"] for one in second.stdout.splitlines()]
    assert payloads == [2, 3, 4]


def test_a_bad_pattern_is_told(url):
    done = CliRunner().invoke(app, ["subscribe", "a..b", "--url", url])
    assert done.exit_code == 1
    assert "invalid_subscription" in done.stderr


def test_ctrl_c_ends_it_quietly(process):
    waiting = process("subscribe", "a", "--url", "memory://nobody")
    assert waiting.stderr.readline() == "subscribed to a\n"

    waiting.send_signal(signal.SIGINT)

    assert waiting.wait(20) == 130
    assert waiting.stderr.read() == ""


def test_a_reader_that_goes_away_ends_it_and_loses_no_event(subscribed, monkeypatch):
    def gone(_):
        raise BrokenPipeError

    durable = ("a", "--json", "--durable", "reader", "--count", 1)
    subscribed(*durable, events=[("a", 0)])
    with monkeypatch.context() as broken:
        broken.setattr("eventyard.cli.subscribe.print_line", gone)
        broken.setattr("eventyard.cli.options._say_no_more", lambda: None)
        subscribed(*durable, events=[("a", 1)], status=141)

    again = subscribed(*durable)
    assert json.loads(again.stdout)["payload"] == 1
