"""Looking after a router; the design document's block among it."""

from __future__ import annotations

import asyncio

import pytest

from eventyard.core.errors import ConnectionError  # noqa: A004
from eventyard.management import ManagementAgent
from tests.unit.client.running import with_client

#: As the document writes it, with this package in the place of its own.
_SEED = """
from eventyard import ManagementAgent

async def manage(client):
    # Create management agent
    manager = ManagementAgent(client)

    # Get statistics
    stats = await manager.get_stats()
    print(f"Total events: {stats.total_events}")
    print(f"Events/sec: {stats.events_per_second}")

    # List subscriptions
    subs = await manager.list_subscriptions()
    for sub in subs:
        print(f"{sub.id}: {sub.topics} ({sub.client_id})")

    # Monitor health
    health = await manager.health_check()
    if not health.is_healthy:
        print(f"Issues: {health.issues}")

    # Manage dead letter queue
    dlq = await manager.get_dead_letter_queue()
    for event in dlq:
        print(f"Failed event: {event.id} - {event.last_error}")

    # Retry failed events
    await manager.retry_failed_events(event_ids=[e.id for e in dlq])
"""


class Worker:
    """Whose handler gave events up, and is given them again."""

    def __init__(self):
        self.done = asyncio.Queue()

    async def work(self, event):
        await self.done.put(event.payload)


async def bury(client, *payloads):
    for payload in payloads:
        event = client.event("job.due", payload)
        await client.bury(event, Worker.work.__qualname__, "no luck", 3)


def test_the_documents_block_shows_what_is_there_and_retries_what_failed(capsys):
    async def test(client):
        names = {}
        exec(_SEED, names)
        worker = Worker()
        async with client.subscribe("job.*", worker.work):
            await client.publish("user.created", {"id": 1})
            await bury(client, {"n": 1})
            await names["manage"](client)
            assert await worker.done.get() == {"n": 1}
        assert await client.transport.dead_letters() == []

    with_client(test, client_id="c-1")

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Total events: 1", "Events/sec: 0.0"]
    assert lines[2].endswith(": ['job.*'] (c-1)")
    assert lines[3].startswith("Failed event: dead_")
    assert lines[3].endswith(" - no luck")


def test_the_rate_is_what_was_published_since_the_last_reading():
    async def test(client):
        now = 100.0
        manager = ManagementAgent(client, sample_s=0.0, clock=lambda: now)
        await manager.get_stats()
        for _ in range(30):
            await client.publish("x")
        now += 10
        stats = await manager.get_stats()
        assert (stats.total_events, stats.events_per_second) == (30, 3.0)
        now += 10
        assert (await manager.get_stats()).events_per_second == 0.0

    with_client(test)


def test_the_routers_own_rate_counts_before_readings(monkeypatch):
    async def test(client):
        async def stats():
            return {"events_published": 5, "events_per_second": 2.5, "lag": 7}

        monkeypatch.setattr(client.transport, "stats", stats)
        told = await ManagementAgent(client).get_stats()
        assert (told.total_events, told.events_per_second, told.lag) == (5, 2.5, 7)
        with pytest.raises(AttributeError, match="no figure nothing, but events_"):
            _ = told.nothing

    with_client(test)


@pytest.mark.parametrize(
    ("told", "is_healthy", "issues"),
    [
        ({"status": "healthy", "checks": {"transport": "ok"}}, True, []),
        (
            {"status": "degraded", "checks": {"queue": "9 dead", "transport": "ok"}},
            False,
            ["queue: 9 dead"],
        ),
        ({"status": "unhealthy"}, False, ["the router says that it is unhealthy"]),
    ],
)
def test_health_names_what_is_not_well(monkeypatch, told, is_healthy, issues):
    async def test(client):
        async def health():
            return told

        monkeypatch.setattr(client.transport, "health", health)
        found = await ManagementAgent(client).health_check()
        assert (found.is_healthy, found.issues) == (is_healthy, issues)

    with_client(test)


def test_a_router_that_is_away_is_not_healthy_and_no_error(monkeypatch):
    async def test(client):
        async def health():
            raise ConnectionError("Nothing answers there.")

        monkeypatch.setattr(client.transport, "health", health)
        found = await ManagementAgent(client).health_check()
        assert (found.status, found.issues) == (
            "unreachable",
            ["Nothing answers there."],
        )

    with_client(test)


def test_a_dead_event_reads_like_its_event():
    async def test(client):
        await bury(client, {"n": 1}, {"n": 2})
        newest, oldest = await ManagementAgent(client).get_dead_letter_queue()
        assert (newest.type, newest.payload, oldest.payload) == (
            "job.due",
            {"n": 2},
            {"n": 1},
        )
        assert (newest.attempts, newest.event.id.startswith("evt_")) == (3, True)

    with_client(test)


def test_events_are_retried_by_their_own_ids_and_nothing_by_none():
    async def test(client):
        await bury(client, {"n": 1}, {"n": 2})
        manager = ManagementAgent(client)
        wanted = (await manager.get_dead_letter_queue())[0]
        worker = Worker()
        async with client.subscribe("job.due", worker.work):
            assert await manager.retry_failed_events([]) == 0
            assert await manager.retry_failed_events([wanted.event.id] * 2) == 1
            assert await worker.done.get() == {"n": 2}
        (left,) = await manager.get_dead_letter_queue()
        assert left.payload == {"n": 1}

    with_client(test)


def test_retrying_all_ends_although_some_fail_again():
    async def test(client):
        await bury(client, *({"n": n} for n in range(450)))
        retry = client.transport.retry

        async def retry_in_vain(ids):
            letters = [client.transport._router.dead[one] for one in ids]
            done = await retry(ids)
            for one in letters[:3]:
                await client.transport.bury(one.event, one.subscription, "again", 4)
            return done

        client.transport.retry = retry_in_vain
        manager = ManagementAgent(client)
        async with asyncio.timeout(10):
            assert await manager.retry_failed_events() == 450
        assert {one.last_error for one in await manager.get_dead_letter_queue()} == {
            "again"
        }

    with_client(test)
