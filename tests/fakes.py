"""What no emulator can play at a chosen moment."""

from __future__ import annotations

import json
import threading
from typing import Any

from chalicelib.live.gateway import GatewayError


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


class FakeGateway:
    """Keeps what was posted; connections can be made gone or failing."""

    def __init__(self) -> None:
        self.posted: dict[str, list[str]] = {}
        self.gone: set[str] = set()
        self.failing: set[str] = set()
        self.closed: list[str] = []
        self._lock = threading.Lock()

    def post(self, endpoint: str, connection_id: str, text: str) -> bool:
        if connection_id in self.failing:
            raise GatewayError("told to fail")
        if connection_id in self.gone:
            return False
        with self._lock:
            self.posted.setdefault(connection_id, []).append(text)
        return True

    def close(self, endpoint: str, connection_id: str) -> None:
        self.closed.append(connection_id)

    def is_open(self, endpoint: str, connection_id: str) -> bool:
        if connection_id in self.failing:
            raise GatewayError("told to fail")
        return connection_id not in self.gone

    def frames(self, connection_id: str) -> list[Any]:
        """What a connection was sent, arrays taken apart."""
        found: list[Any] = []
        for text in self.posted.get(connection_id, []):
            value = json.loads(text)
            found += value if isinstance(value, list) else [value]
        return found
