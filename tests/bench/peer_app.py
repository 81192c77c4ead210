"""The same addresses as a user would write them with FastAPI and Mangum."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from mangum import Mangum
from pydantic import BaseModel, Field

app = FastAPI()
_PLAIN = ["/", "/health", "/metrics", "/ws/stats", "/api/v1/config", "/api/v1/stats"]
_PLAIN += ["/api/v1/events", "/api/v1/keys", "/api/v1/queues"]


class NewEvent(BaseModel):
    type: str = Field(max_length=256)
    payload: Any = {}
    source: str | None = None
    priority: int = Field(5, ge=1, le=10)


class NewKey(BaseModel):
    name: str
    scopes: list[str]


def _add(path: str) -> None:
    @app.get(path)
    def answer() -> dict[str, str]:
        return {"name": "peer"}


for _path in _PLAIN:
    _add(_path)


@app.post("/api/v1/events", status_code=201)
@app.post("/api/v1/events/batch", status_code=201)
def publish(body: NewEvent | list[NewEvent], response: Response) -> Any:
    response.headers["Cache-Control"] = "no-store"
    return {"event_id": "evt_1", "status": "published", "timestamp": "2026-01-01"}


@app.get("/api/v1/events/{event_id}")
def get_event(event_id: str) -> Any:
    return {"id": event_id}


@app.post("/api/v1/keys")
def create_key(body: NewKey) -> Any:
    return {"name": body.name}


@app.delete("/api/v1/keys/{key_id}")
@app.get("/static/{key_id}")
def by_id(key_id: str) -> Any:
    return {"id": key_id}


@app.get("/api/v1/queues/{name}/dead-letters")
@app.delete("/api/v1/queues/{name}/dead-letters")
@app.post("/api/v1/queues/{name}/redrive")
def queue(name: str) -> Any:
    return {"name": name}


handler = Mangum(app, lifespan="off")
