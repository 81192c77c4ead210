"""Webhooks on the running platform: receivers that fail, kills, duplicates, rotation."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.e2e.running import RunningPlatform, wait_until
from tests.e2e.test_crashes import redrive
from tests.receiver import Receiver

_ALLOWED = {"EVENTYARD_ALLOW_PRIVATE_HOSTS": "127.0.0.1"}


@pytest.fixture
def webhooks(running):
    """The platform of all, which may call receivers on loopback."""
    return running


def subscribe(running, receiver, topics, **wish):
    target = {"type": "webhook", "url": receiver.url, **wish.pop("target", {})}
    body = {"topics": topics, "target": target, **wish}
    status, made = running.request("POST", "/api/v1/subscriptions", body)
    assert status == 201, made
    return made


def outcome(running, event_id, subscription):
    trace = running.get(f"/api/v1/events/{event_id}/trace")
    found = [m for m in trace["matched"] if m["subscription"] == subscription["id"]]
    return found[0] if found else None


def ended(running, event_id, subscription, *outcomes):
    def reached():
        found = outcome(running, event_id, subscription)
        return found if found and found["outcome"] in outcomes else None

    return wait_until(reached, 60, f"{outcomes} of {event_id}")


def test_a_receiver_that_fails_three_times_and_then_succeeds(webhooks):
    with Receiver(lambda n, _: (500 if n <= 3 else 200, {})) as receiver:
        made = subscribe(
            webhooks, receiver, "thrice.*", retry={"schedule_s": [0.2, 0.2, 0.2]}
        )
        event_id = webhooks.publish("thrice.x", {"n": 1})
        told = ended(webhooks, event_id, made, "delivered", "dead")

    assert [attempt["status"] for attempt in told["attempts"]] == [500, 500, 500, 200]
    assert receiver.ids() == [event_id] * 4
    for one in receiver.received:
        one.verify(made["secret"])


def test_a_receiver_that_answers_410_is_left_alone(webhooks):
    with Receiver(lambda *_: (410, {})) as receiver:
        made = subscribe(webhooks, receiver, "gone.*")
        event_id = webhooks.publish("gone.x", {})
        path = f"/api/v1/subscriptions/{made['id']}"
        wait_until(lambda: webhooks.get(path)["state"] == "DISABLED", what="the end")
        webhooks.publish("gone.x", {})
        told = ended(webhooks, event_id, made, "held")

        assert told["attempts"][0]["status"] == 410
        assert len(receiver.received) == 1


def test_a_receiver_that_hangs_is_given_up(webhooks):
    with Receiver() as receiver:
        receiver.reaction = receiver.hang
        made = subscribe(
            webhooks, receiver, "hang.*", retry={"schedule_s": [], "timeout_s": 0.5}
        )
        event_id = webhooks.publish("hang.x", {})
        told = ended(webhooks, event_id, made, "dead")

    assert told["attempts"][0]["error"] == "no answer within 0.5 s"
    letter = webhooks.get(f"/api/v1/dead-letters/{told['dead_letter']}")
    assert letter["event"]["id"] == event_id


def test_a_redirect_to_where_clouds_keep_credentials_is_not_followed(webhooks):
    where = "http://169.254.169.254/latest/meta-data/"
    with Receiver(lambda *_: (302, {"Location": where})) as receiver:
        made = subscribe(webhooks, receiver, "redirect.*", retry={"schedule_s": []})
        event_id = webhooks.publish("redirect.x", {})
        told = ended(webhooks, event_id, made, "dead")

    assert told["attempts"][0]["error"] == (
        f"a redirect to {where}; redirects are not followed"
    )
    refused = {"topics": "x", "target": {"type": "webhook", "url": where}}
    status, error = webhooks.request("POST", "/api/v1/subscriptions", refused)
    assert (status, error["error"]["code"]) == (400, "address_refused")


def test_secrets_rotate_under_load_without_a_lost_delivery(webhooks):
    known: list[str] = []
    refused: list[str] = []

    def check(_, request):
        for secret in tuple(known):
            try:
                request.verify(secret)
            except Exception:  # noqa: BLE001 - the next one may fit
                continue
            return 204, {}
        refused.append(request.event["id"])
        return 401, {}

    with Receiver(check) as receiver:
        made = subscribe(webhooks, receiver, "rotate.*", retry={"schedule_s": []})
        known.append(made["secret"])
        told = [webhooks.publish("rotate.x", {"n": n}) for n in range(20)]
        path = f"/api/v1/subscriptions/{made['id']}/rotate-secret"
        _, fresh = webhooks.request("POST", path, {"grace_s": 60})
        told += [webhooks.publish("rotate.x", {"n": n}) for n in range(20)]
        known[:] = [fresh["secret"]]
        told += [webhooks.publish("rotate.x", {"n": n}) for n in range(20)]
        wait_until(lambda: set(told) <= set(receiver.ids()), what="all of them")

    assert refused == []


def test_a_filter_that_matches_nothing_is_explained(webhooks):
    for n in range(5):
        webhooks.publish("explain.me", {"amount": 10 * n})
    wish = {"topics": ["explain.*"], "filter": {"amount": {"$gt": 20}}, "last": 5}
    _, told = webhooks.request("POST", "/api/v1/filters/test", wish)

    assert told["matches"] == 0
    assert told["failed"][0]["condition"] == {"amount": {"$gt": 20}}
    assert told["failed"][0]["count"] == 5
    assert "payload.amount" in told["failed"][0]["message"]


def deliver_under_fire(running: RunningPlatform, events: int) -> None:
    """Publish to five receivers while functions are killed and messages repeated."""
    topic = "fire.x"
    fire = random.Random(7)
    with ExitStack() as stack:
        receivers = [stack.enter_context(Receiver()) for _ in range(5)]
        made = [subscribe(running, one, "fire.*") for one in receivers]
        told: list[str] = []
        stop = threading.Event()
        killer = threading.Thread(target=_kill, args=(running, stop))
        killer.start()
        for start in range(0, events, 100):
            told += _publish(running, topic, start)
            _repeat(running, fire, told, made)
        stop.set()
        killer.join()

        def everything() -> bool:
            redrive(running)
            return all(set(told) <= set(receiver.ids()) for receiver in receivers)

        wait_until(everything, 300, f"{events} events at each of five receivers")
        assert len(told) == len(set(told)) == events
        for receiver in receivers:
            counted = Counter(receiver.ids())
            assert counted.keys() == set(told)
        _assert_counted_once(running, made, events)


def _publish(running: RunningPlatform, topic: str, start: int) -> list[str]:
    body = [{"type": topic, "payload": {"n": n}} for n in range(start, start + 100)]
    key = f"fire-{start}"
    for _ in range(100):
        try:
            status, told = running.request(
                "POST", "/api/v1/events", body, Idempotency_Key=key
            )
        except (OSError, ValueError):
            status = 0
        if status == 201:
            return [event["event_id"] for event in told["events"]]
        time.sleep(0.1)
    raise AssertionError("a commit was not accepted")


def _repeat(running, fire, told, made) -> None:
    import json

    sqs = running.aws("sqs")
    url = sqs.get_queue_url(QueueName="eventyard-dev-deliveries")["QueueUrl"]
    places = [event_id.removeprefix("evt_") for event_id in fire.sample(told, 5)]
    body = {"subscription": fire.choice(made)["id"], "places": places}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def _kill(running: RunningPlatform, stop: threading.Event) -> None:
    functions = itertools.cycle(["deliver", "route", "deliver", "relay"])
    while not stop.wait(0.7):
        running.kill_worker(next(functions))


def _assert_counted_once(running, made, events) -> None:
    """Whatever came twice outside: inside each delivery is one row that ended once."""
    sample = running.get("/api/v1/events?topics=fire.*&limit=50")["events"]
    for event in sample[:10]:
        trace = running.get(f"/api/v1/events/{event['id']}/trace")
        own = {one["id"] for one in made}
        rows = [m for m in trace["matched"] if m["subscription"] in own]
        assert sorted(m["subscription"] for m in rows) == sorted(own)
        assert {m["outcome"] for m in rows} == {"delivered"}


@pytest.mark.soak
def test_killed_functions_and_repeated_messages_lose_no_delivery(tmp_path):
    platform = RunningPlatform(tmp_path / "state", **_ALLOWED)
    platform.start()
    try:
        deliver_under_fire(platform, 1_000)
    finally:
        platform.stop()


@pytest.mark.soak
def test_ten_thousand_events_reach_five_receivers_under_kills(tmp_path):
    platform = RunningPlatform(tmp_path / "state", **_ALLOWED)
    platform.start()
    try:
        deliver_under_fire(platform, 10_000)
    finally:
        platform.stop()
