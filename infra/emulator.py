"""MiniStack as our child: started on loopback, its state kept, always ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Say = Callable[[str], None]

_ROOT: Final = Path(__file__).parent.parent
#: A stop must end within 15 seconds: this long the emulator may save its state.
_SAVE_SECONDS: Final = 12.0
_START_SECONDS: Final = 60.0
#: What workers unpacked is deleted for so long; the next start deletes the rest.
_CLEAR_SECONDS: Final = 2.0
#: After this long a stop no longer waits for functions that are still at work.
_PATIENCE_SECONDS: Final = 1.0


class PortBusyError(Exception):
    """Somebody else listens where we want to."""


def check_port(port: int, variable: str) -> None:
    """Raise PortBusyError, naming the variable to set, when a port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortBusyError(
                f"Port {port} is in use by another program. Choose another with "
                f"{variable}, for example:\n\n    {variable}={port + 1} make run\n"
            ) from None


@dataclass
class Emulator:
    """One MiniStack process, its workers, and the folder with its state."""

    port: int
    state: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    #: A folder of its own for each start, so that what an earlier one left is out
    #: of the way at once.
    _scratch: Path | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def _note(self) -> Path:
        return self.state / "emulator.json"

    @property
    def _scratches(self) -> Path:
        return self.state.absolute() / "scratch"

    @property
    def log_path(self) -> Path:
        """Return where its output, and that of the functions, is kept."""
        return self.state / "emulator.log"

    def end_leftover(self, say: Say) -> None:
        """End what a killed run left behind; its state is saved on the way."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads(self._note.read_text())["pid"])
            if _is_ministack(pid):
                say("Ending the emulator that an earlier run left behind")
                _end_group(pid)
        self._note.unlink(missing_ok=True)

    def start(self) -> None:
        """Start it; `wait` tells when it answers."""
        self._scratches.mkdir(parents=True, exist_ok=True)
        left = list(self._scratches.iterdir())
        self._scratch = Path(tempfile.mkdtemp(dir=self._scratches))
        threading.Thread(target=_clear, args=(left,), daemon=True).start()
        log = self.log_path.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra.ministack"],
            cwd=_ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A group of its own: Ctrl-C reaches us, and we end it in good order.
            start_new_session=True,
        )
        log.close()
        self._note.write_text(json.dumps({"pid": self._process.pid}))

    def _environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not _is_ours(n)}
        return {
            **kept,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.state / "emulator"),
            # What it unpacks for its workers; a killed one leaves its folder.
            "TMPDIR": str(self._scratch),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.state / "s3"),
            "LOG_LEVEL": os.environ.get("EVENTYARD_EMULATOR_LOG", "WARNING"),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    async def wait(self) -> None:
        """Return when it answers; raise RuntimeError when it never will."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if await asyncio.to_thread(self._answers):
                return
            if self.has_died():
                break
            await asyncio.sleep(0.1)
        tail = self.log_path.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"The emulator did not start:\n{tail}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own address
                f"{self.address}/_ministack/health", timeout=2
            ):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def has_died(self) -> bool:
        """Tell whether the process is there no more."""
        return self._process is None or self._process.poll() is not None

    def stop(self) -> bool:
        """End it and all its workers; tell whether it had time to save its state."""
        if self._process is None:
            return True
        saved = _end_group(self._process.pid, self._process)
        self._note.unlink(missing_ok=True)
        if self._scratch is not None:
            _clear([*self._scratch.iterdir(), self._scratch], _CLEAR_SECONDS)
        return saved


def _clear(folders: Iterable[Path], seconds: float = math.inf) -> None:
    until = time.monotonic() + seconds
    for folder in folders:
        if time.monotonic() > until:
            return
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(name: str) -> bool:
    # Functions get these from the template; the process must not leak its own.
    return name.startswith(("EVENTYARD_", "GEMINI_", "OPENAI_", "AWS_", "LOCALSTACK_"))


def _is_ministack(pid: int) -> bool:
    return "ministack" in _processes().get(pid, (0, ""))[1]


def _processes() -> dict[int, tuple[int, str]]:
    """Map each process to its parent and command, without a package to ask."""
    if Path("/proc/self/stat").exists():
        return dict(_from_proc())
    listed = subprocess.run(  # a Mac: no /proc, but always ps
        ["ps", "-A", "-o", "pid=,ppid=,command="],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split(maxsplit=2) for line in listed.stdout.splitlines())
    return {int(pid): (int(parent), command) for pid, parent, command in rows}


def _from_proc() -> Iterator[tuple[int, tuple[int, str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                # The name in parentheses may hold anything, spaces too.
                fields = (
                    (entry / "stat")
                    .read_text(errors="replace")
                    .rpartition(")")[2]
                    .split()
                )
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                yield (
                    int(entry.name),
                    (int(fields[1]), command.decode(errors="replace")),
                )


def _end_group(pid: int, process: subprocess.Popen[bytes] | None = None) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    saved = _wait_for_end(pid, process)
    # Its workers share its group; whatever is left of it goes now.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if process is not None:
        process.wait()
    return saved


def _wait_for_end(pid: int, process: subprocess.Popen[bytes] | None) -> bool:
    started = time.monotonic()
    while time.monotonic() - started < _SAVE_SECONDS:
        if process.poll() is not None if process else not _is_ministack(pid):
            return True
        if time.monotonic() - started > _PATIENCE_SECONDS:
            # A function that runs on cannot reach the emulator any more, and the
            # emulator waits for it: what it did not finish is done after the start.
            _kill_children(pid)
        time.sleep(0.05)
    return False


def _kill_children(pid: int) -> None:
    for child, (parent, _) in _processes().items():
        if parent == pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
