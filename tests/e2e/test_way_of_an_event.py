"""An event's whole way, through the packaged functions."""

from __future__ import annotations

import json

import pytest

from tests.e2e.listener import Listener
from tests.e2e.running import in_a_loop, wait_until


def test_an_event_is_published_read_back_and_seen_live(running):
    with Listener(running.live, "way.*") as listener:
        event_id = running.publish("way.taken", {"step": 1})
        wait_until(lambda: event_id in listener.heard, what="the event at the socket")

        message = listener.messages[-1]

    assert running.get(f"/api/v1/events/{event_id}")["payload"] == {"step": 1}
    assert message["type"] == "way.taken"
    assert message["data"] == {"step": 1}
    assert listener.heard == {event_id: 1}


def test_a_hundred_events_in_one_commit_all_arrive_once_in_shared_frames(running):
    events = [{"type": "hundred.x", "payload": {"i": i}} for i in range(100)]

    with Listener(running.live, "hundred.*", frames="batch") as listener:
        status, told = running.request("POST", "/api/v1/events", events)
        wait_until(lambda: len(listener.heard) == 100, what="a hundred events")

    assert status == 201
    assert listener.heard == {one["event_id"]: 1 for one in told["events"]}
    assert [message["data"]["i"] for message in listener.messages] == list(range(100))


def test_a_connection_that_comes_back_with_its_cursor_is_sent_what_it_missed(running):
    with Listener(running.live, "missed.*") as first:
        before = running.publish("missed.x", {"n": 0})
        wait_until(lambda: before in first.heard)
    while_away = [running.publish("missed.x", {"n": n}) for n in (1, 2, 3)]

    with Listener(running.live, "missed.*", cursor=first.cursor) as second:
        wait_until(lambda: set(while_away) <= set(second.heard), what="the missed")

    assert second.hellos[0]["data"]["recovered"] is True


def test_a_large_payload_comes_back_whole_and_is_pointed_at_live(running):
    payload = {"text": "ä" * 150_000}

    with Listener(running.live, "large.*") as listener:
        event_id = running.publish("large.x", payload)
        wait_until(lambda: event_id in listener.heard)

    assert running.get(f"/api/v1/events/{event_id}")["payload"] == payload
    assert listener.messages[0]["data"] is None
    assert listener.messages[0]["dataref"] == f"api/v1/events/{event_id}"


def test_the_router_channel_subscribes_publishes_and_unsubscribes(running):
    import aiohttp

    async def talk():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{running.live}/ws/router?client_id=me") as socket,
        ):
            heard = [await socket.receive_json(timeout=10)]
            wish = {"topics": ["talk.*"], "filter": {"payload.n": {"$gte": 2}}}
            await socket.send_json({"type": "subscribe", "subscription": wish})
            heard.append(await socket.receive_json(timeout=10))
            for n in (1, 2):
                event = {"type": "talk.x", "payload": {"n": n}}
                await socket.send_json({"type": "publish", "event": event})
            while sum(message["type"] == "event" for message in heard) < 1:
                heard.append(await socket.receive_json(timeout=10))
            await socket.send_json(
                {
                    "type": "unsubscribe",
                    "subscription_id": heard[1]["subscription_id"],
                }
            )
            while heard[-1]["type"] != "unsubscribed":
                heard.append(await socket.receive_json(timeout=10))
            return heard

    heard = in_a_loop(talk)

    assert heard[0]["type"] == "welcome"
    assert heard[1]["type"] == "subscribed"
    (event,) = [message for message in heard if message["type"] == "event"]
    assert event["event"]["payload"] == {"n": 2}
    assert event["event"]["source"] == "me"
    assert sum(message["type"] == "published" for message in heard) == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ws/nowhere", 403), ("/ws/dashboard?events=user.c*", 403)],
)
def test_a_connection_that_makes_no_sense_is_refused(running, path, status):
    found, answer = running.request(
        "GET",
        path,
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
    )

    assert (found, answer["error"]["code"]) == (status, "connection_refused")


def test_pages_of_somebody_else_cannot_reach_the_local_platform(running):
    rebound = running.request("GET", "/api/v1/stats", Host="evil.example")
    foreign = running.request("GET", "/api/v1/stats", Origin="https://evil.example")

    assert (rebound[0], rebound[1]["error"]["code"]) == (403, "not_local")
    assert (foreign[0], foreign[1]["error"]["code"]) == (403, "not_local")


def test_an_address_that_does_not_exist_says_so_in_the_one_shape(running):
    status, answer = running.request("GET", "/api/v1/nothing")

    assert status == 404
    assert answer["error"]["code"] == "not_found"


def test_the_front_adds_nothing_to_a_request(running):
    """A POST without a body has no media type, and must not be given one."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.request("POST", "/api/v1/queues/live/redrive")
    answer = connection.getresponse()

    assert (answer.status, json.load(answer)["redriven"]) == (200, 0)
    connection.close()


def test_poison_on_the_topic_blocks_nobody_and_can_be_seen_and_purged(running):
    topic = running.aws("sns").list_topics()["Topics"][0]["TopicArn"]

    with Listener(running.live, "good.*") as listener:
        running.aws("sns").publish(TopicArn=topic, Message="{ this is no batch")
        good = [running.publish("good.x", {"n": n}) for n in range(5)]
        wait_until(lambda: set(good) <= set(listener.heard), what="the good ones")

    def dead():
        path = "/api/v1/queues/routing/dead-letters"
        return running.get(path)["dead_letters"]

    (letter,) = wait_until(dead, what="the poison among the dead letters")
    assert letter["body"] == "{ this is no batch"
    assert "JSON" in letter["reason"] or "json" in letter["reason"]
    purged = running.request("DELETE", "/api/v1/queues/routing/dead-letters")[1]
    assert purged["purged"] == 1


def test_a_message_sent_twice_is_delivered_once(running):
    topic = running.aws("sns").list_topics()["Topics"][0]["TopicArn"]
    from eventyard.core.event import Event
    from eventyard.core.ulid import new_ulid
    from eventyard.core.wire import to_cloudevent

    event = Event("twice.x", {"n": 1})
    body = json.dumps([{**to_cloudevent(event), "sequence": new_ulid()}])

    with Listener(running.live, "twice.*") as listener:
        running.aws("sns").publish(TopicArn=topic, Message=body)
        wait_until(lambda: event.id in listener.heard)
        running.aws("sns").publish(TopicArn=topic, Message=body)
        last = running.publish("twice.last", {})
        wait_until(lambda: last in listener.heard)

    assert listener.heard[event.id] == 1
