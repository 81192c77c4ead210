"""Streams, schedules and requests on the running platform, by many at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import aiohttp

from tests.e2e.running import in_a_loop, wait_until


def test_many_who_append_at_once_leave_a_stream_without_a_gap(running):
    name = f"order-{uuid4().hex}"
    path = f"/api/v1/streams/{name}/events"

    def append(who):
        told = []
        for number in range(6):
            body = {"events": [{"type": f"by.w{who}"}] * (1 + number % 3)}
            status, answer = running.request("POST", path, body)
            while status == 503:
                status, answer = running.request("POST", path, body)
            assert status == 201, answer
            told += [event["event_id"] for event in answer["events"]]
        return told

    with ThreadPoolExecutor(6) as pool:
        told = [name for names in pool.map(append, range(6)) for name in names]

    events = running.get(f"{path}?limit=500")["events"]
    assert [event["version"] for event in events] == list(range(1, 6 * 12 + 1))
    assert sorted(event["id"] for event in events) == sorted(told)
    logged = running.logged("by.*")
    ours = {i for i, e in logged.items() if e["attributes"]["stream_id"] == name}
    assert ours == set(told)


def test_of_many_who_expect_the_same_version_exactly_one_appends(running):
    path = f"/api/v1/streams/s-{uuid4().hex}/events"

    def append(_):
        body = {"type": "a", "expected_version": 0}
        status, _ = running.request("POST", path, body)
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(append, range(8)))

    assert sorted(set(statuses)) in ([201, 409], [201, 409, 503])
    assert statuses.count(201) == 1


def test_a_scheduled_event_comes_when_it_is_due_and_not_before(running):
    topic = f"later.{uuid4().hex}"
    moment = datetime.now(UTC) + timedelta(seconds=4)
    body = {"type": topic, "deliver_at": moment.isoformat()}
    _, told = running.request("POST", "/api/v1/events", body)
    assert told["status"] == "scheduled"
    assert running.logged(topic) == {}

    found = wait_until(lambda: running.logged(topic))

    assert time.time() >= moment.timestamp() - 0.1
    assert list(found) == [told["event_id"]]
    assert running.request("GET", f"/api/v1/scheduled/{told['event_id']}")[0] == 404


def test_a_request_is_answered_by_whoever_listens_on_the_socket(running):
    topic = f"adder.w{uuid4().hex}"

    async def serve(ready):
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{running.live}/ws/router") as socket,
        ):
            wish = {"type": "subscribe", "subscription": {"topics": [topic]}}
            await socket.send_json(wish)
            async for message in socket:
                frame = message.json()
                if frame["type"] == "subscribed":
                    ready.set()
                if frame["type"] != "event":
                    continue
                event = frame["event"]
                total = event["payload"]["x"] + event["payload"]["y"]
                reply = {
                    "type": event["attributes"]["reply_to"],
                    "correlation_id": event["correlation_id"],
                    "payload": {"sum": total},
                }
                await socket.send_json({"type": "publish", "event": reply})
                return

    ready = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(in_a_loop, lambda: serve(ready))
        assert ready.wait(30)
        body = {"type": topic, "payload": {"x": 20, "y": 10}, "timeout_s": 20}
        status, answer = running.request("POST", "/api/v1/requests", body)
        serving.result()

    assert (status, answer["payload"]) == (200, {"sum": 30})


def test_of_many_answers_at_once_exactly_one_counts(running):
    topic = f"asked.{uuid4().hex}"
    body = {"type": topic, "timeout_s": 20}
    with ThreadPoolExecutor(7) as pool:
        asking = pool.submit(running.request, "POST", "/api/v1/requests", body)
        (name,) = wait_until(lambda: running.logged(topic))
        path = f"/api/v1/requests/{name}/reply"
        answers = list(
            pool.map(
                lambda n: running.request("POST", path, {"payload": {"n": n}}),
                range(6),
            )
        )
        status, reply = asking.result()

    first = [n for n, (code, _) in enumerate(answers) if code == 201]
    assert status == 200
    assert len(first) == 1, answers
    assert reply["payload"] == {"n": first[0]}
