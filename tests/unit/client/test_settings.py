"""How a client is set up: arguments, a config, the environment."""

from __future__ import annotations

import pytest

from eventyard import EventRouterClient, InvalidRequestError
from eventyard.settings import Reconnect, settled


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("", "memory"),
        ("memory://mine", "memory"),
        ("http://localhost:5555", "websocket"),
        ("https://example.com/router", "websocket"),
        ("wss://example.com", "websocket"),
        ("redis://localhost", "redis"),
        ("rediss://localhost", "redis"),
        ("aws://eu-central-1", "aws"),
    ],
)
def test_an_address_says_which_transport(monkeypatch, url, transport):
    monkeypatch.setenv("EVENTYARD_URL", url)
    assert settled(None).transport == transport
    assert settled(None, url=url or None).transport == transport


def test_arguments_count_before_the_config_and_that_before_the_environment(monkeypatch):
    monkeypatch.setenv("EVENTYARD_URL", "redis://env")
    config = {"url": "http://config", "batch_size": 5, "transport": "http"}
    told = settled(config, batch_size=7)
    assert (told.url, told.transport, told.batch_size) == ("http://config", "http", 7)
    assert settled(config, url="ws://given", transport=None).url == "ws://given"


def test_reconnecting_is_told_as_a_mapping():
    told = settled({"reconnect": {"enabled": False, "max_attempts": 5}})
    assert told.reconnect == Reconnect(enabled=False, max_attempts=5)
    told = settled({"connection": {"host": "redis.example.com"}})
    assert told.transport == "redis"


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"colour": 1}, "no setting 'colour'"),
        ({"reconnect": {"colour": 1}}, "no 'colour'"),
        ({"transport": "pigeon"}, "pigeon"),
        ({"url": "pigeon://roof"}, "begins with one of"),
        ({"overflow": "panic"}, "drop_oldest"),
        ({"batch_size": 0}, "batch_size"),
        ({"pool_size": 0}, "pool_size"),
        ({"buffer_size": -1}, "buffer_size"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_what_would(told, says):
    with pytest.raises(InvalidRequestError, match=says):
        EventRouterClient(config=told)


def test_a_commit_has_a_hundred_events_at_most():
    assert settled(None, batch_size=1_000).batch_size == 100
