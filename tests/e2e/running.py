"""The whole platform as a user starts it: `infra.local` in a process of its own."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
_SETTINGS = ("EVENTYARD_", "AWS_", "GEMINI_", "OTEL_", "TELEMETRY_")
_READY_SECONDS = 240
_STOP_SECONDS = 25
_RETRY_SECONDS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningPlatform:
    """Starts, stops and starts again, with its state in one folder."""

    def __init__(self, state: Path, **settings: str) -> None:
        self.state = state
        self.port, self.emulator_port = free_port(), free_port()
        self.settings = settings
        self.root = ROOT
        #: What is sent with every request, where the platform asks for keys.
        self.key = ""
        self.output: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def live(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_SETTINGS) or name == "AWS_CA_BUNDLE"
        }
        return {
            **kept,
            "EVENTYARD_PORT": str(self.port),
            "EVENTYARD_EMULATOR_PORT": str(self.emulator_port),
            "EVENTYARD_STATE": str(self.state),
            # A message whose function was killed comes again within seconds.
            "EVENTYARD_QUEUE_VISIBILITY_S": "5",
            **self.settings,
        }

    def start(self, command: list[str] | None = None) -> None:
        """Start and wait for the line that says it is ready."""
        self._ready.clear()
        self._process = subprocess.Popen(
            command or [sys.executable, "-m", "infra.local"],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()
        until = time.monotonic() + _READY_SECONDS
        while not self._ready.wait(0.1):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("not ready:\n" + "".join(self.output))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.output.append(line)
                if "Eventyard is ready" in line:
                    self._ready.set()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop as Ctrl-C does; return the exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(_STOP_SECONDS)
        self._reader.join(5)
        return status

    def kill(self) -> None:
        """Kill the supervisor alone, as a crash would; the emulator is left."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def workers(self, function: str) -> list[int]:
        """Return the processes of one function."""
        marked = re.compile(rf"ministack-lambda-eventyard-dev-{function}-[^/]*/_worker")
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and self._runs(entry, marked)
        ]

    def kill_worker(self, function: str) -> int:
        """Kill the processes of one function, as they stand; return how many."""
        return sum(map(_kill, self.workers(function)))

    def _runs(self, entry: Path, marked: re.Pattern[str]) -> bool:
        try:
            command = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            parent = int(
                (entry / "stat")
                .read_text(errors="replace")
                .rpartition(")")[2]
                .split()[1]
            )
        except OSError:
            return False
        # Only our own emulator's: another one may run beside it on this machine.
        return bool(marked.search(command)) and parent == self.emulator_pid

    @property
    def emulator_pid(self) -> int:
        return int(json.loads((self.state / "emulator.json").read_text())["pid"])

    def connect(self, function: str, *, enabled: bool) -> None:
        """Connect a function to the stream or queue that it reads, or cut it off."""
        functions = self.aws("lambda")
        (mapping,) = functions.list_event_source_mappings(
            FunctionName=f"eventyard-dev-{function}"
        )["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def aws(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.emulator_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Ask the friendly address; return status and JSON."""
        raw = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            named = {"Authorization": f"Bearer {self.key}", **named}
        return self.send(
            path, raw, {"Content-Type": "application/json", **named}, method
        )

    def send(
        self,
        path: str,
        raw: bytes | None,
        headers: dict[str, str],
        method: str = "POST",
    ) -> tuple[int, Any]:
        """Send these very bytes; return status and JSON."""
        address = f"{self.address}/{path.lstrip('/')}"
        request = urllib.request.Request(address, raw, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=35) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def get(self, path: str) -> Any:
        """Read; a function killed in mid-request is asked again, as clients do."""
        until = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                status, told = self.request("GET", path)
            except OSError:
                status, told = 0, None
            if 0 < status < 500 or time.monotonic() > until:
                return told
            time.sleep(0.1)

    def publish(self, topic: str, payload: Any, **headers: str) -> str:
        """Publish one event; return its id, or raise if it was not accepted."""
        body = {"type": topic, "payload": payload}
        status, told = self.request("POST", "/api/v1/events", body, **headers)
        if status != 201:
            raise RuntimeError(f"{status}: {told}")
        return str(told["event_id"])

    def logged(self, topic: str) -> dict[str, Any]:
        """Read every event of a topic back, by id."""
        found: dict[str, Any] = {}
        cursor = ""
        while True:
            page = self.get(f"/api/v1/events?topics={topic}&limit=500{cursor}")
            found |= {event["id"]: event for event in page["events"]}
            if page["cursor"] is None:
                return found
            cursor = f"&cursor={page['cursor']}"


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it ended meanwhile
        return False
    return True


def let_the_lease_end(running: RunningPlatform, job_id: str) -> None:
    """Let it be as if nothing was heard for half a minute of whoever does a job."""
    running.aws("dynamodb").update_item(
        TableName="eventyard-dev",
        Key={"pk": {"S": "jobs#running"}, "sk": {"S": job_id}},
        UpdateExpression="SET #until = :now",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":now": {"N": str(time.time())}},
    )


def stop(pid: int) -> None:
    """Stop a process where it is; one that ended is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)


def holds_work(pid: int) -> bool:
    """Tell whether a worker was handed an invocation that it has not read yet."""
    try:
        with Path(f"/proc/{pid}/fd/0").open("rb") as stdin:
            waiting = array.array("i", [0])
            fcntl.ioctl(stdin, termios.FIONREAD, waiting)
    except OSError:  # it ended meanwhile
        return False
    return waiting[0] > 0


def in_a_loop(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine on a thread of its own: a browser may hold this one's loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(main())).result()


def wait_until(
    condition: Any, seconds: float = 60, what: str = "it", pause: float = 0.05
) -> Any:
    """Return the condition's first true value."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"{what} did not happen within {seconds} s")
