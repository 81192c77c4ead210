"""Webhooks of senders on the running platform: the very bytes that were signed."""

from __future__ import annotations

import hmac

import pytest

from tests.e2e.running import RunningPlatform

KEY = "a secret of some length"
SCHEME = {"type": "hmac", "header": "X-Signature"}


@pytest.fixture
def source(running: RunningPlatform):
    wish = {"name": "sender", "scheme": SCHEME, "secret": KEY, "id_from": "id"}
    status, made = running.request("POST", "/api/v1/sources", wish)
    assert status == 201, made
    yield made
    running.request("DELETE", "/api/v1/sources/sender")


def send(running, source, body, media="application/json", key=KEY):
    code = hmac.new(key.encode(), body, "sha256").hexdigest()
    headers = {"Content-Type": media, "X-Signature": code}
    return running.send(source["path"], body, headers)


@pytest.mark.parametrize(
    ("body", "media", "payload"),
    [
        # Read and written again, none of these would be the same bytes.
        (
            b'{"id": 1.0,\t"text": "\\u00e4\xc3\xa4", "id": "raw"}\r\n',
            "application/json; charset=utf-8",
            {"id": "raw", "text": "ää"},
        ),
        (
            b"id=form&a=%C3%A4+b&a=",
            "application/x-www-form-urlencoded",
            {"id": "form", "a": ["ä b", ""]},
        ),
    ],
)
def test_the_bytes_that_were_signed_are_those_that_are_checked(
    running, source, body, media, payload
):
    status, told = send(running, source, body, media)

    assert (status, told["status"]) == (202, "accepted"), told
    event = running.get(f"/api/v1/events/{told['event_id']}")
    assert event["payload"] == payload
    assert send(running, source, body, media, key="another secret")[0] == 401
