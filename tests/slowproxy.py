"""A way to a server that can be made slow, and cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self


class SlowProxy:
    """Hands on what comes, `delay_s` later; a way that is cut is cut for both."""

    def __init__(self, target_port: int) -> None:
        self.delay_s = 0.0
        #: How many connections were ever made.
        self.count = 0
        self._target = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._join(self._listener.accept()[0])

    def _join(self, near: socket.socket) -> None:
        self.count += 1
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        self._open += [near, far]
        for way in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(self.delay_s)
                sink.sendall(data)
        self._hang_up(source, sink)

    @staticmethod
    def _hang_up(*ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End what is connected; new connections are taken."""
        ends, self._open = self._open, []
        self._hang_up(*ends)
        for end in ends:
            end.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up(self._listener)
        self._listener.close()
        self.cut()
