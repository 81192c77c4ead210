"""`eventyard doctor`: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

import typer
from rich.text import Text

from eventyard import __version__
from eventyard.cli.http import Api
from eventyard.cli.options import LOCAL, AsJson, Key, Url, out, print_json
from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)

State = Literal["ok", "warning", "failed", "skipped"]
_LOOKS: Final[dict[State, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}
_OLDEST_PYTHON: Final = (3, 11)
#: Signed requests and tokens are refused where clocks differ by more.
_SKEW_S: Final = 30
_EXTRAS: Final = {
    "crypto": ("cryptography", "encrypted payloads"),
    "redis": ("redis", "the transport redis"),
    "aws": ("boto3", "the transport aws"),
    "scanner": ("yaml", "configuration files of the scanner"),
    "scraping": ("selectolax", "the web scraper"),
    "postgres": ("asyncpg", "jobs in PostgreSQL"),
}
#: Something harmless that each scope allows: a read, or what is refused as invalid.
_PROBES: Final[dict[str, tuple[str, str, Any]]] = {
    "events:subscribe": ("GET", "api/v1/stats", None),
    "events:publish": ("POST", "api/v1/events", []),
    "graph:read": ("GET", "api/graph/projects", None),
    "jobs:read": ("GET", "api/v1/workers", None),
    "pulls:read": ("GET", "api/v1/repositories", None),
    "circles:read": ("GET", "api/v1/circles", None),
    "memories:read": ("GET", "api/v1/memories/spaces", None),
    "admin": ("GET", "api/v1/keys", None),
}
#: Without one of these a client can do nothing at all.
_NEEDED: Final = frozenset({"events:subscribe", "events:publish"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and how to mend it."""

    name: str
    state: State
    found: str
    mend: str = ""


def doctor(as_json: AsJson = False, url: Url = LOCAL, key: Key = "") -> None:
    """Find what is wrong with a set-up, and say how to mend it."""
    findings = []
    for finding in examined(Api(url, key, timeout=10)):
        findings.append(finding)
        if not as_json:
            _show(finding)
    failed = sum(one.state == "failed" for one in findings)
    if as_json:
        names = Finding.__slots__
        print_json([{name: getattr(one, name) for name in names} for one in findings])
    else:
        out.print("Nothing is wrong." if not failed else f"{failed} wrong.")
    if failed:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    mark, style = _LOOKS[finding.state]
    line = Text.assemble((mark, style), f" {finding.name}: {finding.found}")
    out.print(line, soft_wrap=True)
    if finding.mend:
        out.print(Text(f"  → {finding.mend}", style="bold"), soft_wrap=True)


def examined(api: Api) -> Iterator[Finding]:
    """Yield what is found, the nearest first; what needs more is skipped."""
    yield _python(sys.version_info[:2])
    yield _extras()
    reached = _address(api)
    yield reached
    if reached.state == "failed":
        for look in _LOOKS_THERE:
            told = "the platform has to be reached first"
            yield Finding(_name_of(look), "skipped", told)
        return
    for look in _LOOKS_THERE:
        yield _looked(look, api)


def _looked(look: Callable[[Api], Finding], api: Api) -> Finding:
    name = _name_of(look)
    try:
        return look(api)
    except (AuthenticationError, PermissionDeniedError) as error:
        return Finding(name, "skipped", f"the key may not look: {error}")
    except EventRouterError as error:
        return Finding(name, "failed", str(error), "Look again in a moment.")


def _name_of(look: Callable[[Api], Finding]) -> str:
    return look.__name__.strip("_").replace("_", " ")


def _python(version: tuple[int, ...]) -> Finding:
    shown = ".".join(map(str, version))
    if version < _OLDEST_PYTHON:
        mend = "Install Python 3.11 or newer, and the package into that."
        return Finding("python", "failed", f"{shown} is too old", mend)
    return Finding("python", "ok", f"{shown}, eventyard {__version__}")


def _extras() -> Finding:
    missing = {
        extra: meaning
        for extra, (module, meaning) in _EXTRAS.items()
        if importlib.util.find_spec(module) is None
    }
    if not missing:
        return Finding("extras", "ok", "all are installed")
    found = ", ".join(f"{extra} ({meaning})" for extra, meaning in missing.items())
    mend = f"If you need them: pip install 'eventyard[{','.join(missing)}]'"
    return Finding("extras", "warning", f"not installed: {found}", mend)


def _address(api: Api) -> Finding:
    named = os.environ.get("EVENTYARD_URL")
    whose = " (EVENTYARD_URL)" if named == api.url else ""
    try:
        config = api.get("api/v1/config")
        found = f"{api.base}{whose}, stage {config['stage']}"
    except (EventRouterError, KeyError, TypeError) as error:
        mend = (
            "Start the platform (`make run`, or `eventyard start` in its folder), or "
            "name its address with --url or EVENTYARD_URL."
        )
        return Finding("address", "failed", f"{api.url}{whose}: {error}", mend)
    return Finding("address", "ok", found)


def _key(api: Api) -> Finding:
    """Look what the key allows."""
    asks = api.get("api/v1/config")["auth"] == "keys"
    try:
        granted = _granted(api)
    except AuthenticationError as error:
        mend = (
            "Ask an administrator for a key (eventyard key create NAME SCOPE), and say "
            "it with --api-key or EVENTYARD_API_KEY."
        )
        found = (
            f"{error}" if api.key else "the platform asks for one, and none is given"
        )
        return Finding("key", "failed", found, mend)
    if not asks:
        mend = "Fine on your own machine; elsewhere set EVENTYARD_AUTH=keys."
        return Finding(
            "key", "warning", "none is asked for: whoever comes may all", mend
        )
    found = f"accepted: {', '.join(sorted(granted))}"
    if not any(map(_needed, granted)):
        mend = "A client needs events:publish or events:subscribe: ask for another key."
        return Finding("key", "failed", found, mend)
    return Finding("key", "ok", found)


def _granted(api: Api) -> set[str]:
    """Return the scopes of a key; what does not tell them is tried out."""
    try:
        return set(api.get("api/v1/me")["scopes"])
    except NotFoundError:
        return {scope for scope in _PROBES if _may(api, scope)}


def _needed(scope: str) -> bool:
    return scope == "admin" or ":".join(scope.split(":")[:2]) in _NEEDED


def _may(api: Api, scope: str) -> bool:
    method, path, body = _PROBES[scope]
    try:
        api.ask(method, path, body=body)
    except PermissionDeniedError:
        return False
    except InvalidRequestError:
        return True
    return True


def _clock(api: Api) -> Finding:
    """Compare this machine's clock with the platform's."""
    before = time.time()
    text = api.ask("GET", "api/v1/config").headers.get("Date")
    after = time.time()
    if text is None:
        return Finding("clock", "skipped", "the platform tells no time")
    # The header has whole seconds, and was written some time between.
    there = parsedate_to_datetime(text).timestamp()
    skew = max(there - after, before - there - 1, 0.0)
    if skew > _SKEW_S:
        side = "behind" if there > after else "ahead"
        mend = "Set this machine's clock by NTP: tokens and signatures depend on it."
        return Finding("clock", "failed", f"it is {skew:.0f} s {side}", mend)
    return Finding("clock", "ok", "it agrees with the platform's")


def _live(api: Api) -> Finding:
    """Connect to the live address."""
    from eventyard.cli.watch import welcomed

    try:
        return Finding("live", "ok", f"{asyncio.run(welcomed(api))} is connected")
    except ConnectionError as error:
        mend = 'Let WebSockets through, or use transport="http", which needs none.'
        return Finding("live", "failed", str(error), mend)


def _version(api: Api) -> Finding:
    """Compare the versions of both sides, and of what they say to each other."""
    from eventyard.transports._wire import agreed

    config = api.get("api/v1/config")
    theirs = str(config["version"])
    found = f"the platform has {theirs}, this package {__version__}"
    older = _ordered(theirs) < _ordered(__version__)
    side = "the platform" if older else "the package (pip install -U eventyard)"
    try:
        wire = agreed(config)
    except InvalidRequestError as error:
        return Finding("version", "failed", str(error), f"Update {side}.")
    if _release(theirs) == _release(__version__):
        found = f"both are {_release(theirs)}, messages of version {wire}"
        return Finding("version", "ok", found)
    return Finding("version", "warning", found, f"Update {side} when you can.")


def _release(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _health(api: Api) -> Finding:
    """Ask the platform how it does."""
    health = api.health()
    wrong = [
        f"{name}: {text}" for name, text in health["checks"].items() if text != "ok"
    ]
    if health["status"] == "healthy":
        return Finding("health", "ok", "the platform is well")
    state: State = "warning" if health["status"] == "degraded" else "failed"
    mend = "eventyard queues list shows what waits and died; the functions' logs why."
    return Finding("health", state, f"{health['status']}: {'; '.join(wrong)}", mend)


def _dead_letters(api: Api) -> Finding:
    """Count what could not be delivered."""
    count = api.get("api/v1/stats")["undelivered"]
    if not count:
        return Finding("dead letters", "ok", "none")
    mend = "See why with `eventyard dlq list`; then `eventyard dlq retry --all`."
    return Finding("dead letters", "warning", f"{count} were not delivered", mend)


def _memories(api: Api) -> Finding:
    """Have a question made a vector of, as each recall and each memory needs it."""
    asked = {"agent_id": "doctor", "query": "are you well?", "update_access": False}
    try:
        api.post("api/v1/memories/recall", asked)
    except NotFoundError:
        told = "the platform has none: it is older than this package"
        return Finding("memories", "skipped", told)
    except UnavailableError as error:
        mend = "Look at EVENTYARD_EMBEDDINGS and the key of its vendor; 'local' needs none."
        return Finding("memories", "failed", str(error), mend)
    return Finding("memories", "ok", "texts are made vectors of")


_LOOKS_THERE: Final = (
    *(_key, _clock, _live, _version, _health, _dead_letters),
    _memories,
)
