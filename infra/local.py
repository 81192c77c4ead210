"""`make run`: the whole platform on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from watchfiles import awatch

from infra import template
from infra.deploy import (
    AWS_ERRORS,
    Deployer,
    Stack,
)
from infra.emulator import Emulator, PortBusyError, check_port
from infra.front import Addresses, Front
from infra.package import ROOT, package
from infra.settings import DeployError, parameters_from, settings_from

_WATCHED: Final = (
    "app.py",
    "chalicelib",
    "sdk/eventyard",
    "infra/resources.yaml",
    "infra/functions.yaml",
    "requirements.txt",
    "requirements-drawing.txt",
    "requirements-scraping.txt",
)
_NOTHING: Final[dict[str, Any]] = {"Records": []}
_TICK: Final = {
    "version": "0",
    "id": "local",
    "detail-type": "Scheduled Event",
    "source": "eventyard.local",
    "account": "000000000000",
    "time": "1970-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {},
}
_FORGET_LOGS_SECONDS: Final = 600
_HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True)
class Options:
    """What the environment says about a local run."""

    port: int
    emulator_port: int
    state: Path
    stage: str
    sweep_seconds: int

    @classmethod
    def from_environment(cls) -> Options:
        """Read the options; `.env.example` explains them."""
        env = os.environ
        return cls(
            port=_number("EVENTYARD_PORT", 5555),
            emulator_port=_number("EVENTYARD_EMULATOR_PORT", 4566),
            state=Path(env.get("EVENTYARD_STATE") or ROOT / ".eventyard").resolve(),
            stage=env.get("EVENTYARD_STAGE") or "dev",
            sweep_seconds=_number("EVENTYARD_SWEEP_SECONDS", 2),
        )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 1 <= int(text) <= _HIGHEST_PORT:
        raise SystemExit(f"{name} must be a number from 1 to {_HIGHEST_PORT}: {text!r}")
    return int(text)


class Progress:
    """Tells what is happening, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last = ""

    def __call__(self, text: str) -> None:
        """Print a line, at once, once."""
        if text != self._last:
            self._last = text
            print(f"{self.seconds:6.1f} s  {text}", flush=True)

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started


class LocalPlatform:
    """Emulator, stack and front of one run."""

    def __init__(self, options: Options, say: Progress) -> None:
        self.options = options
        self.say = say
        self.emulator = Emulator(options.emulator_port, options.state)
        self._front: Front | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._deployer: Deployer | None = None

    @property
    def address(self) -> str:
        """Return the friendly address."""
        return f"http://localhost:{self.options.port}"

    @property
    def deployer(self) -> Deployer:
        """Return what deploys to the emulator."""
        if self._deployer is None:
            self._deployer = Deployer(self.emulator.address, self.say)
        return self._deployer

    async def start(self) -> None:
        """Bring everything up; raises PortBusyError, DeployError or RuntimeError."""
        self.emulator.end_leftover(self.say)
        check_port(self.options.port, "EVENTYARD_PORT")
        check_port(self.options.emulator_port, "EVENTYARD_EMULATOR_PORT")
        self.say("Starting the emulator")
        self.emulator.start()
        # Clients take half a second to load, as the emulator does to start.
        await asyncio.gather(
            self.emulator.wait(), asyncio.to_thread(lambda: self.deployer)
        )
        restored = await asyncio.to_thread(self.deployer.find, self.options.stage)
        stack = await asyncio.to_thread(self.deploy)
        if restored is not None:
            await asyncio.to_thread(self._reconnect_stream)
        base = f"{self.emulator.address}/_aws/execute-api"
        outputs, stage = stack.outputs, template.GATEWAY_STAGE
        self._front = Front(
            Addresses(
                http=f"{base}/{outputs['RestAPIId']}/{stage}",
                live=f"{base}/{outputs['WebsocketAPIId']}/{stage}",
            )
        )
        await self._front.start(self.options.port)
        for chore in (self._warm_up, self._sweep, self._forget_logs, self._watch):
            self._spawn(chore)

    def _spawn(self, chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.create_task(chore()))

    def deploy(self) -> Stack:
        """Package the sources as they are and deploy them."""
        environment = {"EVENTYARD_AUTH": "open", **os.environ}
        target = template.Target(
            self.options.stage, self.emulator.address, settings_from(environment)
        )
        artefact = package(self.say, self.options.state / "artefact")
        parameters = {
            # A message whose function was killed comes again soon, not in 3 minutes.
            "QueueVisibility": "60",
            **parameters_from(environment, self.options.stage),
        }
        return self.deployer.deploy(artefact, target, parameters)

    def _reconnect_stream(self) -> None:
        # After a restart the emulator's stream is a new one, and the mapping's saved
        # position lies ahead of it: it would wait for ever.
        functions = self.deployer.client("lambda")
        name = f"eventyard-{self.options.stage}-relay"
        found = functions.list_event_source_mappings(FunctionName=name)
        table = self.deployer.client("dynamodb").describe_table(
            TableName=f"eventyard-{self.options.stage}"
        )
        for mapping in found["EventSourceMappings"]:
            functions.delete_event_source_mapping(UUID=mapping["UUID"])
            functions.create_event_source_mapping(
                EventSourceArn=table["Table"]["LatestStreamArn"],
                FunctionName=name,
                StartingPosition="TRIM_HORIZON",
                BatchSize=mapping["BatchSize"],
                FilterCriteria=mapping.get("FilterCriteria", {"Filters": []}),
                FunctionResponseTypes=mapping.get("FunctionResponseTypes", []),
                DestinationConfig=mapping.get("DestinationConfig", {}),
            )

    async def _warm_up(self) -> None:
        for name in ("relay", "route", "fan-out"):
            await asyncio.to_thread(self._invoke, name, _NOTHING)

    async def _sweep(self) -> None:
        while True:
            await asyncio.to_thread(self._invoke, "sweep", _TICK)
            await asyncio.sleep(self.options.sweep_seconds)

    def _invoke(self, name: str, event: Any) -> None:
        try:
            # No retries: the next tick is one, and a stop must not wait for them.
            once = Config(retries={"total_max_attempts": 1}, read_timeout=65)
            self.deployer.client("lambda", config=once).invoke(
                FunctionName=f"eventyard-{self.options.stage}-{name}",
                Payload=json.dumps(event).encode(),
            )
        except Exception as error:  # noqa: BLE001 - the next tick tries again
            if not self.emulator.has_died():
                self.say(f"{name} could not be called: {error}")

    async def _forget_logs(self) -> None:
        # The emulator keeps every function's every line in memory, for ever.
        while True:
            await asyncio.sleep(_FORGET_LOGS_SECONDS)
            await asyncio.to_thread(self._delete_logs)

    def _delete_logs(self) -> None:
        logs = self.deployer.client("logs")
        prefix = f"/aws/lambda/eventyard-{self.options.stage}-"
        with contextlib.suppress(Exception):
            for group in logs.describe_log_groups(logGroupNamePrefix=prefix)[
                "logGroups"
            ]:
                logs.delete_log_group(logGroupName=group["logGroupName"])

    async def _watch(self) -> None:
        paths = [ROOT / name for name in _WATCHED]
        async for _ in awatch(*paths, debounce=300, step=50):
            await self.redeploy()

    async def redeploy(self) -> None:
        """Deploy an edit; one that cannot be leaves what runs as it is."""
        started = time.monotonic()
        try:
            stack = await asyncio.to_thread(self.deploy)
        except (DeployError, SystemExit, *AWS_ERRORS) as error:
            self.say(f"Not redeployed, the platform runs on as it was: {error}")
            return
        if stack.changed:
            self.say(f"Redeployed in {time.monotonic() - started:.1f} s")

    async def run_until(self, stop: asyncio.Event) -> int:
        """Wait for the signal to stop, or for the emulator's death."""
        while not stop.is_set():
            if self.emulator.has_died():
                self.say(f"The emulator died; its last words: {self.emulator.log_path}")
                return 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.5)
        return 0

    async def stop(self) -> None:
        """Stop all that was started; the state stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._front is not None:
            await self._front.stop()
        if not self.emulator.has_died():
            self._delete_logs()
        saved = await asyncio.to_thread(self.emulator.stop)
        if not saved:
            self.say("The emulator did not save its state in time")


async def run(options: Options, say: Progress) -> int:
    """Run the platform until a signal; return the exit status."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    local = LocalPlatform(options, say)
    starting = asyncio.create_task(local.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return 130
        starting.result()
        _announce(local, say)
        return await local.run_until(stop)
    except (PortBusyError, DeployError, RuntimeError, *AWS_ERRORS) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    finally:
        stopping.cancel()
        say("Stopping, and saving the state")
        await local.stop()
        say("Stopped")


def _announce(local: LocalPlatform, say: Progress) -> None:
    if (os.environ.get("EVENTYARD_AUTH") or "open") == "open":
        say("Warning: EVENTYARD_AUTH=open, whoever reaches this machine may do all")
    say(
        f"State in {local.options.state}; it is saved on a clean stop (Ctrl-C), "
        "not when killed"
    )
    print(f"\nEventyard is ready at {local.address}\n", flush=True)


def main() -> None:
    """Run from the command line."""
    sys.exit(asyncio.run(run(Options.from_environment(), Progress())))


if __name__ == "__main__":
    main()
