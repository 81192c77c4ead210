"""The client as the design document writes it: its blocks, as they stand, run."""

# ruff: noqa: A004, W293 - names, conditions, and blocks as they stand

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Final

import pytest

from eventyard import (
    CircuitOpenError,
    ConnectionError,
    Event,
    EventRouterClient,
    PermissionDeniedError,
    PublishError,
    RequestError,
    TimeoutError,
)
from eventyard.transports.base import Caller
from eventyard.transports.memory import Broker
from tests.awaiting import awaited, until

# This package stands in the place of the one imported there.

INITIALIZATION: Final = """
from eventyard import EventRouterClient

# Auto-detect best transport (memory for local, WebSocket for remote)
client = EventRouterClient()

# Explicit transport selection
client = EventRouterClient(transport="websocket", url="ws://localhost:8080")

# With configuration
client = EventRouterClient(
    config={
        "transport": "redis",
        "connection": {
            "host": "redis.example.com",
            "port": 6379,
            "password": "secret"
        },
        "reconnect": {
            "enabled": True,
            "max_attempts": 5,
            "backoff": "exponential"
        }
    }
)

# Async context manager (recommended)
async with EventRouterClient() as client:
    await client.publish("test", {"data": "value"})
"""

SIMPLE_PUBLISHING: Final = """
# Minimal - just type and payload
await client.publish("user.created", {"id": 123, "name": "Alice"})

# With metadata
await client.publish(
    type="order.placed",
    payload={"order_id": 456, "total": 99.99},
    source="order_service",
    target="payment_service",
    priority=8,
    correlation_id="req-789"
)

# Fire and forget (no wait for acknowledgment)
client.publish_nowait("metric.recorded", {"cpu": 75})
"""

BATCH_PUBLISHING: Final = """
# Publish multiple events efficiently
events = [
    ("user.created", {"id": 1}),
    ("user.created", {"id": 2}),
    ("user.created", {"id": 3})
]
results = await client.publish_batch(events)

# With options per event
events = [
    Event(type="high.priority", payload={}, priority=9),
    Event(type="low.priority", payload={}, priority=2)
]
await client.publish_events(events)
"""

TRANSACTIONAL_PUBLISHING: Final = """
# All or nothing publishing
async with client.transaction() as tx:
    await tx.publish("order.created", order_data)
    await tx.publish("inventory.reserved", items)
    await tx.publish("payment.initiated", payment)
    # All events published atomically on commit
"""

DECORATORS: Final = r"""
# Simple handler
@client.on("user.created")
async def handle_user_created(event):
    print(f"New user: {event.payload['name']}")

# Multiple event types
@client.on("user.created", "user.updated", "user.deleted")
async def handle_user_events(event):
    print(f"User event: {event.type}")

# Pattern matching
@client.on_pattern(r"order\.(created|updated)")
async def handle_orders(event):
    await process_order(event)

# With filtering
@client.on("payment.*", filter={"payload.amount": {"$gt": 100}})
async def handle_large_payments(event):
    await audit_payment(event)
"""

PROGRAMMATIC_SUBSCRIPTION: Final = """
# Basic subscription
subscription = await client.subscribe(
    "user.*",
    handler=lambda e: print(f"User event: {e}")
)

# With filtering
subscription = await client.subscribe(
    topics=["order.*", "payment.*"],
    filter={
        "priority": {"$gte": 7},
        "source": {"$in": ["order_service", "payment_service"]}
    },
    handler=process_critical_event
)

# Unsubscribe when done
await subscription.unsubscribe()

# Or use context manager
async with client.subscribe("test.*") as subscription:
    async for event in subscription:
        print(event)
        if event.payload.get("stop"):
            break
"""

STREAM_PROCESSING: Final = """
# Process events as a stream
async for event in client.stream("sensor.*"):
    await process_sensor_data(event)

# With batching
async for batch in client.stream("logs.*", batch_size=100, timeout=1.0):
    await bulk_insert_logs(batch)

# Windowed processing
async for window in client.window("metrics.*", size="1m", slide="30s"):
    avg = sum(e.payload["value"] for e in window) / len(window)
    await client.publish("metrics.average", {"value": avg})
"""

REQUEST_RESPONSE: Final = """
# Make a request
response = await client.request(
    "calculator.add",
    {"x": 10, "y": 20},
    timeout=5.0
)
print(f"Result: {response.payload['result']}")  # Result: 30

# Handle requests
@client.respond("calculator.add")
async def add_numbers(request):
    x = request.payload["x"]
    y = request.payload["y"]
    return {"result": x + y}

# With validation
@client.respond("user.get")
async def get_user(request):
    user_id = request.payload.get("id")
    if not user_id:
        raise ValueError("User ID required")
    
    user = await db.get_user(user_id)
    if not user:
        raise NotFoundError(f"User {user_id} not found")
    
    return user.to_dict()
"""

EVENT_SOURCING: Final = """
# Append events to stream
stream = client.event_stream("order-123")
await stream.append("order.created", order_data)
await stream.append("order.paid", payment_data)
await stream.append("order.shipped", shipping_data)

# Read events from stream
events = await stream.read(from_version=0)
for event in events:
    print(f"Version {event.version}: {event.type}")

# Subscribe to stream updates
@stream.on_append
async def handle_order_update(event):
    await update_read_model(event)
"""

SAGA: Final = """
# Define a saga
@client.saga("process_order")
class ProcessOrderSaga:
    @client.on("order.created")
    async def start(self, event):
        # Reserve inventory
        await client.publish("inventory.reserve", {
            "order_id": event.payload["id"],
            "items": event.payload["items"]
        })
    
    @client.on("inventory.reserved")
    async def inventory_reserved(self, event):
        # Process payment
        await client.publish("payment.process", {
            "order_id": event.payload["order_id"],
            "amount": event.payload["total"]
        })
    
    @client.on("payment.completed")
    async def payment_completed(self, event):
        # Ship order
        await client.publish("shipping.create", {
            "order_id": event.payload["order_id"]
        })
        self.complete()  # Saga done
    
    @client.on("inventory.failed", "payment.failed")
    async def handle_failure(self, event):
        # Compensate
        await client.publish("order.cancel", {
            "order_id": event.payload["order_id"],
            "reason": event.payload["error"]
        })
        self.compensate()  # Run compensation
"""

CIRCUIT_BREAKER: Final = """
# Automatic circuit breaker
@client.on("external.api.call")
@client.circuit_breaker(
    failure_threshold=5,
    recovery_timeout=30,
    expected_exception=ApiException
)
async def call_external_api(event):
    response = await external_api.call(event.payload)
    return response
"""

CLIENT_ERRORS: Final = """
from eventyard import (
    EventRouterError,
    ConnectionError,
    PublishError,
    SubscriptionError,
    TimeoutError
)

try:
    await client.publish("test", {})
except ConnectionError as e:
    # Handle connection issues
    print(f"Connection failed: {e}")
    await client.reconnect()
except PublishError as e:
    # Handle publish failures
    print(f"Publish failed: {e}")
    if e.retryable:
        await asyncio.sleep(1)
        await client.publish("test", {})
except TimeoutError as e:
    # Handle timeouts
    print(f"Operation timed out: {e}")
"""

EVENT_ERRORS: Final = """
@client.on("user.created")
@client.error_handler(
    max_retries=3,
    backoff="exponential",
    dead_letter_queue=True
)
async def handle_user(event):
    # If this fails, will retry 3 times
    # Then send to dead letter queue
    await risky_operation(event)

# Global error handler
@client.on_error
async def handle_error(error, event):
    logger.error(f"Event {event.id} failed: {error}")
    await alert_team(error, event)
"""

BATCHING: Final = """
# Configure batching
client = EventRouterClient(
    batch_size=100,
    batch_timeout=0.1  # 100ms
)

# Events are automatically batched
for i in range(1000):
    client.publish_nowait("metric", {"value": i})
# Sent in 10 batches of 100
"""

POOLING: Final = """
# Use connection pool for high throughput
client = EventRouterClient(
    pool_size=10,
    pool_timeout=30
)

# Connections are reused automatically
async def high_volume_publish():
    tasks = []
    for i in range(10000):
        task = client.publish("event", {"id": i})
        tasks.append(task)
    await asyncio.gather(*tasks)
"""

CACHING: Final = """
# Enable client-side caching
client = EventRouterClient(
    cache_size=1000,
    cache_ttl=60  # seconds
)

# Duplicate events are deduplicated
await client.publish("user.created", {"id": 123})
await client.publish("user.created", {"id": 123})  # Cached, not sent
"""

AUTHENTICATION: Final = """
# API key authentication
client = EventRouterClient(
    auth={"type": "api_key", "key": "secret-key"}
)

# JWT authentication
client = EventRouterClient(
    auth={"type": "jwt", "token": jwt_token}
)

# mTLS authentication
client = EventRouterClient(
    auth={
        "type": "mtls",
        "cert": "/path/to/cert.pem",
        "key": "/path/to/key.pem"
    }
)
"""

AUTHORIZATION: Final = """
# Topic-based permissions
@client.on("admin.*")
@client.require_permission("admin")
async def handle_admin_event(event):
    # Only called if client has admin permission
    pass

# Custom authorization
@client.on("sensitive.*")
@client.authorize
async def check_auth(event, context):
    user = context.user
    return user.has_permission(f"read:{event.type}")
"""

ENCRYPTION: Final = """
# End-to-end encryption
client = EventRouterClient(
    encryption={
        "enabled": True,
        "algorithm": "AES-256-GCM",
        "key": encryption_key
    }
)

# Payloads are encrypted before transmission
await client.publish("sensitive", {"ssn": "123-45-6789"})
"""


class Watched(EventRouterClient):
    """A client whose endless loops a test can end."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.begun = []

    def subscribe(self, *arguments, **named):
        subscription = super().subscribe(*arguments, **named)
        self.begun.append(subscription)
        return subscription

    async def loop(self, number):
        """Wait until so many subscriptions have begun; return the last."""
        await until(lambda: len(self.begun) == number and self.begun[-1].id)
        return self.begun[-1]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Have a router of one's own, also where a block names none."""
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    Broker.forget()
    yield
    Broker.forget()


async def run(block, scope):
    """Run a block as a module whose statements may wait."""
    code = compile(block, "<block>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waits = eval(code, scope)
    if inspect.isawaitable(waits):
        await waits


def collected(client, *topics):
    got = []
    client.on(*topics)(got.append)
    return got


@pytest.mark.skipif(
    any(
        find_spec(f"eventyard.transports.{name}") is None
        for name in ("websocket", "redis")
    ),
    reason="its transports are elsewhere",
)
@awaited
async def test_initialization():
    scope = {}
    router = await EventRouterClient().connect()
    got = []
    await router.subscribe("test", handler=got.append)
    await run(INITIALIZATION, scope)
    await until(lambda: got)
    await router.disconnect()
    assert got[0].payload == {"data": "value"}


@awaited
async def test_simple_publishing():
    client = EventRouterClient()
    got = collected(client, "**")
    async with EventRouterClient(client_id="payment_service") as service:
        await service.subscribe("order.placed", handler=got.append)
        async with client:
            await run(SIMPLE_PUBLISHING, {"client": client})
            await client.flush()
            await until(lambda: len(got) == 3)
    placed = next(event for event in got if event.type == "order.placed")
    assert (placed.priority, placed.correlation_id) == (8, "req-789")
    assert {"user.created", "metric.recorded"} < {event.type for event in got}


@awaited
async def test_batch_publishing():
    client = EventRouterClient()
    got = collected(client, "**")
    scope = {"client": client, "Event": Event}
    async with client:
        await run(BATCH_PUBLISHING, scope)
        await until(lambda: len(got) == 5)
    assert [one.event_id for one in scope["results"]] == [e.id for e in got[:3]]
    assert [event.priority for event in got[3:]] == [9, 2]


@awaited
async def test_transactional_publishing():
    client = EventRouterClient()
    got = collected(client, "**")
    scope = {"client": client, "order_data": 1, "items": [2], "payment": {"n": 3}}
    async with client:
        await run(TRANSACTIONAL_PUBLISHING, scope)
        await until(lambda: len(got) == 3)
    assert [event.payload for event in got] == [1, [2], {"n": 3}]
    assert len({event.transaction_id for event in got}) == 1


@awaited
async def test_decorators(capsys):
    client, processed, audited = EventRouterClient(), [], []

    async def process_order(event):
        processed.append(event.type)

    async def audit_payment(event):
        audited.append(event.payload["amount"])

    scope = {
        "client": client,
        "process_order": process_order,
        "audit_payment": audit_payment,
    }
    await run(DECORATORS, scope)
    async with client:
        await client.publish("user.created", {"name": "Alice"})
        for type_ in ("order.created", "order.sent", "order.updated"):
            await client.publish(type_, {})
        for amount in (100, 101):
            await client.publish("payment.received", {"amount": amount})
        await until(lambda: audited and len(processed) == 2)
        await until(lambda: "User event" in capsys.readouterr().out)
    assert processed == ["order.created", "order.updated"]
    assert audited == [101]


@awaited
async def test_programmatic_subscription(capsys):
    client, critical = Watched(), []
    scope = {"client": client, "process_critical_event": critical.append}
    async with client:
        running = asyncio.create_task(run(PROGRAMMATIC_SUBSCRIPTION, scope))
        await client.loop(3)
        await client.publish("user.created", {})
        for priority in (6, 7):
            await client.publish("order.placed", {}, priority=priority)
        await client.publish("test.a", {"n": 1})
        await client.publish("test.b", {"stop": True})
        await running
        assert [one.is_active for one in client.begun] == [True, False, False]
    assert critical == []
    told = capsys.readouterr().out
    assert "User event: <Event user.created" in told
    assert "<Event test.b" in told


@awaited
async def test_stream_processing():
    client, sensed, logged = Watched(), [], []

    async def process_sensor_data(event):
        sensed.append(event.payload)

    async def bulk_insert_logs(batch):
        logged.append(len(batch))

    scope = {
        "client": client,
        "process_sensor_data": process_sensor_data,
        "bulk_insert_logs": bulk_insert_logs,
    }
    averages = collected(client, "metrics.average")
    async with client:
        running = asyncio.create_task(run(STREAM_PROCESSING, scope))
        sensors = await client.loop(1)
        await client.publish("sensor.a", 1)
        await until(lambda: sensed)
        await sensors.unsubscribe()
        logs = await client.loop(2)
        await client.publish_batch([("log.a", n) for n in range(5)])
        await client.publish_batch([("logs.a", n) for n in range(250)])
        await until(lambda: sum(logged) == 250)
        await logs.unsubscribe()
        metrics = await client.loop(3)
        begin = datetime(2024, 1, 1, tzinfo=UTC)
        for second, value in ((0, 1), (30, 3), (95, 0)):
            when = begin + timedelta(seconds=second)
            await client.publish("metrics.cpu", {"value": value}, timestamp=when)
        await until(lambda: len(averages) >= 2)
        await metrics.unsubscribe()
        await running
    assert logged[:2] == [100, 100]
    # Averages are metrics as well, and of now: they close what is older.
    assert [event.payload["value"] for event in averages[:2]] == [1.0, 2.0]


@awaited
async def test_request_response(capsys):
    client = EventRouterClient()

    class NotFoundError(Exception):
        pass

    class Users:
        async def get_user(self, user_id):
            if user_id == 7:
                return SimpleNamespace(to_dict=lambda: {"id": 7})
            return None

    @client.respond("calculator.add")
    async def first(request):
        return {"result": request.payload["x"] + request.payload["y"]}

    scope = {"client": client, "db": Users(), "NotFoundError": NotFoundError}
    async with client:
        await run(REQUEST_RESPONSE, scope)
        await client.connect()
        assert "Result: 30" in capsys.readouterr().out
        assert (await client.request("user.get", {"id": 7})).payload == {"id": 7}
        for payload, kind in (({}, "ValueError"), ({"id": 8}, "NotFoundError")):
            with pytest.raises(RequestError) as caught:
                await client.request("user.get", payload)
            assert caught.value.details["type"] == kind


@awaited
async def test_event_sourcing(capsys):
    client, updated = EventRouterClient(), []

    async def update_read_model(event):
        updated.append(event.version)

    scope = {
        "client": client,
        "order_data": {},
        "payment_data": {},
        "shipping_data": {},
        "update_read_model": update_read_model,
    }
    async with client:
        await run(EVENT_SOURCING, scope)
        assert capsys.readouterr().out.splitlines() == [
            "Version 1: order.created",
            "Version 2: order.paid",
            "Version 3: order.shipped",
        ]
        await client.connect()
        await scope["stream"].append("order.returned")
        await until(lambda: updated == [4])


@awaited
async def test_saga():
    client = EventRouterClient()
    scope = {"client": client}
    await run(SAGA, scope)
    got = collected(client, "shipping.create", "order.cancel")

    @client.on("inventory.reserve")
    async def reserve(event):
        found = event.payload["items"]
        kind = "inventory.reserved" if found else "inventory.failed"
        told = {"total": 5} if found else {"error": "none left"}
        await client.publish(kind, {"order_id": event.payload["order_id"], **told})

    @client.on("payment.process")
    async def pay(event):
        order = event.payload["order_id"]
        await client.publish("payment.completed", {"order_id": order})

    async with client:
        await client.publish("order.created", {"id": 1, "items": ["book"]})
        await client.publish("order.created", {"id": 2, "items": []})
        await until(lambda: len(got) == 2)
        for key, state in (("1", "completed"), ("2", "compensated")):
            while True:
                saga = await client._sagas.resume("process_order", key)
                if saga.saga_state == state:
                    break
                await asyncio.sleep(0.001)
    told = {event.type: event.payload for event in got}
    assert told["shipping.create"] == {"order_id": 1}
    assert told["order.cancel"] == {"order_id": 2, "reason": "none left"}


@awaited
async def test_circuit_breaker():
    client, called, told = EventRouterClient(), [], []

    class ApiException(Exception):  # noqa: N818 - its name there
        pass

    class Api:
        async def call(self, payload):
            called.append(payload)
            raise ApiException

    client.on_error(lambda error, event: told.append(type(error)))
    scope = {"client": client, "ApiException": ApiException, "external_api": Api()}
    await run(CIRCUIT_BREAKER, scope)
    async with client:
        for number in range(7):
            await client.publish("external.api.call", number)
        await until(lambda: len(told) == 5)
    assert called == [*range(5)]
    assert told[5:] == [CircuitOpenError]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (None, ""),
        (ConnectionError("away"), "Connection failed: away"),
        (PublishError("full", retryable=True), "Publish failed: full"),
        (TimeoutError("late"), "Operation timed out: late"),
    ],
)
@awaited
async def test_client_errors(capsys, error, says):
    client = EventRouterClient()
    got = collected(client, "test")
    async with client:
        publish, errors = client.publish, [error]

        async def fails(*arguments):
            if errors and errors[0] is not None:
                raise errors.pop()
            return await publish(*arguments)

        client.publish = fails
        await run(CLIENT_ERRORS, {"client": client, "asyncio": asyncio})
        if error is None or isinstance(error, PublishError):
            await until(lambda: got)
        assert client.is_connected
    assert says in capsys.readouterr().out


@awaited
async def test_event_errors(monkeypatch):
    monkeypatch.setattr("eventyard.patterns.retries.paused", at_once)
    client, tried, alerts = EventRouterClient(), [], []

    async def risky_operation(event):
        tried.append(event.id)
        raise ValueError("risky")

    async def alert_team(error, event):
        alerts.append((str(error), event.id))

    scope = {
        "client": client,
        "risky_operation": risky_operation,
        "alert_team": alert_team,
        "logger": logging.getLogger("test"),
    }
    await run(EVENT_ERRORS, scope)
    async with client:
        published = await client.publish("user.created", {})
        await until(lambda: alerts)
        (letter,) = await client.transport.dead_letters()
    assert tried == [published] * 4
    assert alerts == [("risky", published)]
    assert letter.event.id == published


async def at_once(_):
    return True


@awaited
async def test_batching():
    scope = {"EventRouterClient": EventRouterClient}
    async with EventRouterClient() as other:
        got, commits = [], []
        accept = other.transport._router.accept

        def watched(events, claims):
            commits.append(len(events))
            return accept(events, claims)

        other.transport._router.accept = watched
        await other.subscribe("metric", handler=got.append)
        await run(BATCHING, scope)
        await scope["client"].flush()
        await until(lambda: len(got) == 1_000)
        await scope["client"].disconnect()
    assert commits == [100] * 10
    assert [event.payload["value"] for event in got] == [*range(1_000)]


@awaited
async def test_pooling():
    scope = {"EventRouterClient": EventRouterClient, "asyncio": asyncio}
    await run(POOLING, scope)
    await scope["high_volume_publish"]()
    stats = await scope["client"].transport.stats()
    await scope["client"].disconnect()
    assert stats["events_published"] == 10_000


@awaited
async def test_caching():
    scope = {"EventRouterClient": EventRouterClient}
    await run(CACHING, scope)
    stats = await scope["client"].transport.stats()
    await scope["client"].disconnect()
    assert stats["events_published"] == 1


@awaited
async def test_authentication():
    scope = {"EventRouterClient": EventRouterClient, "jwt_token": "a.b.c"}
    await run(AUTHENTICATION, scope)
    assert scope["client"].settings.auth["type"] == "mtls"


@awaited
async def test_authorization():
    client, told = EventRouterClient(), []
    client.on_error(lambda error, event: told.append((type(error), event.type)))
    await run(AUTHORIZATION, {"client": client})
    async with client:

        async def nobody():
            return Caller("nobody", frozenset({"read:sensitive.a"}))

        client.transport.whoami = nobody
        for type_ in ("admin.a", "sensitive.a", "sensitive.b"):
            await client.publish(type_, {})
        await until(lambda: told)
    assert told == [(PermissionDeniedError, "sensitive.b")]


@awaited
async def test_encryption():
    scope = {"EventRouterClient": EventRouterClient, "encryption_key": b"k" * 32}
    async with EventRouterClient() as router:
        got = []
        await router.subscribe("sensitive", handler=got.append)
        await run(ENCRYPTION, scope)
        await until(lambda: got)
        await scope["client"].disconnect()
    assert set(got[0].payload) == {"ciphertext"}
    assert scope["client"].opened(got)[0].payload == {"ssn": "123-45-6789"}
