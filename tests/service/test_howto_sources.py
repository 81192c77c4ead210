"""docs/howto/receive-webhooks.md, its commands and code run from top to bottom."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from tests.howto import blocks, run

_PAGE = "receive-webhooks"
BODY = '{"id": "in the body", "event_id": "e1", "type": "a.b", "event_type": "a.b"}'
#: The senders that the page tells of.
SENDERS = json.loads(blocks(_PAGE, "json")[0])


def code(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256)


def spelled(made):
    return base64.b64encode(made.digest()).decode()


def stripe(secret, now):
    made = code(secret, f"{now}.{BODY}").hexdigest()
    return {"Stripe-Signature": f"t={now},v1={made},v0={'0' * 64}"}


def shopify(secret, now):
    headers = {"X-Shopify-Topic": "a.b", "X-Shopify-Webhook-Id": "b54557e4"}
    return {"X-Shopify-Hmac-Sha256": spelled(code(secret, BODY)), **headers}


def zendesk(secret, now):
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "X-Zendesk-Webhook-Signature": spelled(code(secret, at + BODY)),
        "X-Zendesk-Webhook-Signature-Timestamp": at,
    }


def paddle(secret, now):
    made = code(secret, f"{now}:{BODY}").hexdigest()
    return {"Paddle-Signature": f"ts={now};h1={made}"}


def linear(secret, now):
    made = code(secret, BODY).hexdigest()
    return {"Linear-Signature": made, "Linear-Delivery": "234d1a4e"}


def clerk(secret, now):
    made = Webhook(secret).sign("msg_1", datetime.fromtimestamp(now, UTC), BODY)
    headers = {"svix-id": "msg_1", "svix-timestamp": str(now)}
    return {**headers, "svix-signature": made}


SIGNING = (stripe, shopify, zendesk, paddle, linear, clerk)


def test_the_commands_print_what_the_page_says(http):
    first, second, *rest = blocks(_PAGE, "console")
    run(http, first)
    run(http, second)
    scope: dict[str, object] = {}
    exec(blocks(_PAGE, "python")[0], scope)
    told = http.post("/api/v1/sources/billing/rotate-secret", {}).json()
    body = '{"type": "invoice.paid", "n": 1}'

    headers = scope["sign"](told["secret"], "msg_1", body)
    answer = http._call("POST", "/webhooks/billing", body, headers)

    assert answer.status == 202
    assert answer.json() == {"event_id": "msg_1", "status": "accepted"}
    for block in rest:
        run(http, block)


def test_the_page_tells_of_those_senders_that_are_tried_here():
    assert [one["name"] for one in SENDERS] == [sign.__name__ for sign in SIGNING]


@pytest.mark.parametrize(
    ("wish", "sign"),
    list(zip(SENDERS, SIGNING, strict=True)),
    ids=[one["name"] for one in SENDERS],
)
def test_well_known_senders_are_understood_as_the_page_says(http, platform, wish, sign):
    made = http.post("/api/v1/sources", wish)
    assert made.status == 201
    headers = sign(made.json()["secret"], int(time.time()))

    answers = [
        http._call("POST", made.json()["path"], body, headers)
        for body in (BODY, BODY, BODY + " ")
    ]

    assert [one.status for one in answers] == [202, 202, 401]
    assert answers[1].json()["deduplicated"] is True
    event = platform.events.get(answers[0].json()["event_id"])
    assert event.type == f"{wish['name']}.a.b"
    assert not event.id.startswith("evt_")
