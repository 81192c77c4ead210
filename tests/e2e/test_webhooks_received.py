"""Webhooks of senders on the running platform: the very bytes that were signed."""

from __future__ import annotations

import hmac
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

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
    address = running.address + source["path"]
    request = urllib.request.Request(address, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


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


def test_of_deliveries_at_once_one_is_an_event(running, source):
    body = b'{"id": "at-once"}'

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: send(running, source, body), range(2)))

    taken = [answer for status, answer in told if status == 202]
    # Whoever meets another at work is told to come again, as senders do.
    assert {status for status, _ in told} <= {202, 503}
    assert {one["event_id"] for one in taken} == {"at-once"}
    assert [one for one in taken if "deduplicated" not in one] != []
    listed = running.get("/api/v1/events?topics=sender.**")["events"]
    assert [event["id"] for event in listed].count("at-once") == 1
