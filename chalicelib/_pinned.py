"""Connections to one checked address, which a clock can cut; imports urllib3."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

#: The connection that this thread's call uses is put into `held` here.
LOCAL = threading.local()


class _Plain(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        LOCAL.held["connection"] = self
        super().request(*args, **kwargs)


class _Secure(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        LOCAL.held["connection"] = self
        super().request(*args, **kwargs)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def pool(scheme: str, host: str, port: int, address: str) -> HTTPConnectionPool:
    """Return a pool that connects to the address, and for TLS expects the host."""
    if scheme == "http":
        return _PlainPool(address, port, maxsize=32)
    return _SecurePool(
        address, port, maxsize=32, server_hostname=host, assert_hostname=host
    )


def cut(held: dict[str, Any]) -> None:
    """End what the connection is doing; whoever waits for it gets an error."""
    sock = getattr(held.get("connection"), "sock", None)
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
