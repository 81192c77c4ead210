"""Who may connect, what a key lets them see, and what it lets them publish."""

from __future__ import annotations

import pytest

from tests.steps import bearer, connect, greeted, listed, publish, say


def test_a_key_for_some_topics_sees_those_alone(locked, http, pump, gateway):
    secret = bearer(http, "events:subscribe:user.*")
    greeted(pump, channel="router", token=secret)
    greeted(pump, "c2", events="*", token=secret)
    say(locked, "c1", {"type": "subscribe", "subscription": {"topics": ["*"]}})

    publish(locked, {"type": "user.created"}, {"type": "order.paid"})
    pump.run()

    sent = [f["event"]["type"] for f in gateway.frames("c1") if f["type"] == "event"]
    assert sent == ["user.created"]
    assert [f["type"] for f in gateway.frames("c2")[1:]] == ["user.created"]


def test_a_key_may_stand_in_a_header(locked, http):
    secret = bearer(http, "events:subscribe")

    answer = locked.live.connect(
        {
            "requestContext": {
                "connectionId": "c1",
                "domainName": "x.test",
                "stage": "api",
            },
            "queryStringParameters": {"channel": "dashboard"},
            "headers": {"authorization": f"Bearer {secret}"},
        }
    )

    assert answer == {"statusCode": 200}


@pytest.mark.parametrize("query", [{}, {"token": "ey_unknown"}, {"token": ""}])
def test_without_a_known_key_nobody_connects(locked, query):
    answer = connect(locked, **query)

    assert answer["statusCode"] == 401
    assert list(locked.connections.all()) == []


def test_a_key_that_may_only_publish_does_not_connect(locked, http):
    secret = bearer(http, "events:publish")

    answer = connect(locked, token=secret)

    assert answer["statusCode"] == 403
    assert list(locked.connections.all()) == []


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        (["events:subscribe"], "permission_denied"),
        (["events:subscribe", "events:publish:order.*"], "permission_denied"),
        (["events:subscribe", "events:publish:user.*"], None),
        (["events:subscribe", "events:publish"], None),
        (["admin"], None),
    ],
)
def test_publishing_over_a_socket_needs_its_scope(locked, http, pump, scopes, code):
    greeted(pump, channel="router", token=bearer(http, *scopes))

    (answer,) = say(
        locked, "c1", {"type": "publish", "event": {"type": "user.created"}}
    )

    assert answer.get("code") == code
    assert answer["type"] == ("error" if code else "published")
    assert len(listed(locked)) == (0 if code else 1)


def test_a_message_larger_than_a_gateway_takes_is_refused(platform, pump, gateway):
    greeted(pump, channel="router")

    platform.live.receive("c1", '{"type": "ping", "echo": "' + "x" * 131_072 + '"}')

    assert gateway.frames("c1")[-1]["code"] == "payload_too_large"
