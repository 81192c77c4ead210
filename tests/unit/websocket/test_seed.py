"""
The live dashboard as the design document writes it.

| block of phase 5.4 | here |
| --- | --- |
| ConnectionManager | behaviour: test_manager; its names, test_the_manager_has_its_names |
| WebSocket Endpoint | runs on FastAPI: ENDPOINT |
| Message Format | behaviour: test_integration, test_manager |
| Event Bus Integration | behaviour: test_integration |
| Setup dans Application | runs on FastAPI: SETUP |
| JavaScript Client | what it does, over a real socket: test_the_endpoint |
| Broadcasting concurrent, Error Handling | behaviour: test_manager |
| Graceful Degradation | runs: WITHOUT_FASTAPI |
| Connection Statistics | runs: STATISTICS |
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timezone
from typing import Final, Optional

import aiohttp
import pytest

from eventyard import Event
from eventyard.events import event_bus
from eventyard.websocket import ConnectionManager, get_connection_manager, manager
from eventyard.websocket.integration import stop_broadcasting
from tests.awaiting import awaited
from tests.unit.websocket.servers import dashboard, over_uvicorn

ENDPOINT: Final = '''
@router.websocket("/ws/dashboard")
async def websocket_dashboard(
    websocket: WebSocket,
    client_id: Optional[str] = None
):
    """
    WebSocket endpoint for real-time dashboard updates.

    Query params:
        client_id: Optional client identifier for debugging.
    """
    manager = get_connection_manager()
    await manager.connect(websocket, client_id=client_id)

    try:
        # Send connection confirmation
        await manager.send_personal({
            "type": "connection.established",
            "data": {
                "client_id": client_id,
                "message": "Connected to GatheRing WebSocket"
            },
        }, websocket)

        # Listen for client messages
        while True:
            data = await websocket.receive_json()

            # Handle ping/pong
            if data.get("type") == "ping":
                await manager.send_personal(
                    {"type": "pong", "timestamp": datetime.now(timezone.utc).isoformat()},
                    websocket
                )

    except WebSocketDisconnect:
        pass
    finally:
        await manager.disconnect(websocket)
'''

SETUP: Final = """
from eventyard.websocket.integration import setup_websocket_broadcasting

@router.get("/startup")
async def startup():
    setup_websocket_broadcasting()
"""

WITHOUT_FASTAPI: Final = """
manager = ConnectionManager()
stats = manager.get_stats()  # Works even without FastAPI
"""

STATISTICS: Final = """
from eventyard.websocket import get_connection_manager

manager = get_connection_manager()
stats = manager.get_stats()

print(f"Active connections: {stats['active_connections']}")
print(f"Total connections: {stats['total_connections']}")
print(f"Total messages sent: {stats['total_messages_sent']}")
print(f"Total broadcasts: {stats['total_broadcasts']}")

# Client details
for client in stats['clients']:
    print(f"  - {client['client_id']}: {client['messages_sent']} messages sent")
"""


@pytest.fixture
def live(monkeypatch):
    made = ConnectionManager()
    monkeypatch.setattr(manager, "_made", made)
    event_bus.reset()
    yield made
    stop_broadcasting()
    event_bus.reset()


def application():
    """A program on FastAPI with the blocks of the document in it."""
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    app = FastAPI()
    scope = {
        "router": app,
        "WebSocket": WebSocket,
        "WebSocketDisconnect": WebSocketDisconnect,
        "Optional": Optional,
        "datetime": datetime,
        "timezone": timezone,
        "get_connection_manager": get_connection_manager,
    }
    exec(ENDPOINT, scope)
    exec(SETUP, scope)
    app.get("/ws/stats")(lambda: get_connection_manager().get_stats())
    return app


@awaited
async def test_the_endpoint_on_fastapi_shows_events(live, capsys):
    async with (
        over_uvicorn(application()) as port,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{port}/startup") as answer:
            assert answer.status == 200
        async with dashboard(port, "?client_id=dashboard-1") as client:
            hello = await client.read()
            assert hello["data"]["client_id"] == "dashboard-1"
            await event_bus.publish(Event("agent.started", {"agent_id": 1}))
            told = await client.read()
            assert (told["type"], told["data"]) == ("agent.started", {"agent_id": 1})
            await client.say({"type": "ping"})
            pong = await client.read()
            assert datetime.fromisoformat(pong["timestamp"]).tzinfo == UTC
            async with session.get(f"http://127.0.0.1:{port}/ws/stats") as answer:
                assert (await answer.json())["active_connections"] == 1
            exec(STATISTICS, {})
            assert "dashboard-1: 3 messages sent" in capsys.readouterr().out


def test_without_fastapi():
    program = f"""
import sys
sys.modules["fastapi"] = sys.modules["starlette"] = None
from eventyard.websocket import ConnectionManager, integration
{WITHOUT_FASTAPI}
assert stats["active_connections"] == 0
assert not {{"aiohttp", "pydantic"}} & {{*sys.modules}}
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_manager_has_its_names():
    made = ConnectionManager()
    methods = "connect disconnect send_personal broadcast broadcast_event ping_all"
    for name in (*methods.split(), "get_stats", "get_client_count"):
        assert callable(getattr(made, name))
    assert made.active_connections == {}
    counts = (
        made.total_connections,
        made.total_messages_sent,
        made.total_broadcasts,
    )
    assert counts == (0, 0, 0)
