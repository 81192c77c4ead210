"""A real Redis for tests, which may be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest

EXECUTABLE = shutil.which("redis-server")
_READY_S = 20


def require() -> None:
    """Skip, loudly, where there is no Redis; fail where there has to be one."""
    if EXECUTABLE is None:
        told = "NO REDIS, SO NOTHING OF IT IS TESTED: apt-get install redis-server"
        if os.environ.get("REQUIRE_REDIS"):
            pytest.fail(told)
        pytest.skip(told)


class RedisServer:
    """Keeps what it is told in a folder, each write at once."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.folder = folder
        self.password = password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        wish = {"port": self.port, "dir": self.folder, "bind": "127.0.0.1"}
        wish |= {"appendonly": "yes", "appendfsync": "always", "save": ""}
        if self.password:
            wish["requirepass"] = self.password
        words = [word for k, v in wish.items() for word in (f"--{k}", str(v))]
        self._process = subprocess.Popen(
            [str(EXECUTABLE), *words], stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + _READY_S
        while not self._answers():
            assert time.monotonic() < until, "Redis did not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
