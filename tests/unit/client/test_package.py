"""What the package offers, and what importing it costs."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import eventyard

ROOT = Path(eventyard.__file__).parents[1]
#: Names whose modules are looked for where they are.
ELSEWHERE = {
    name: module
    for name, module in eventyard._ELSEWHERE.items()
    if find_spec(module) is None
}
FEW = 40


def loaded_by(program):
    """Return the modules that a program has loaded besides those of Python."""
    told = f"import sys; before = set(sys.modules)\n{program}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", told],
        env={"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_the_public_surface_is_what_it_says():
    assert sorted(eventyard.__all__) == dir(eventyard)
    for name in eventyard.__all__:
        if name not in ELSEWHERE:
            assert getattr(eventyard, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        eventyard.nonsense  # noqa: B018


def test_all_errors_are_of_one_family_and_of_the_builtins_of_their_names():
    errors = [getattr(eventyard, n) for n in eventyard.__all__ if n.endswith("Error")]
    assert len(errors) == 16
    assert all(issubclass(one, eventyard.EventRouterError) for one in errors)
    assert issubclass(eventyard.ConnectionError, ConnectionError)
    assert issubclass(eventyard.TimeoutError, TimeoutError)
    assert issubclass(eventyard.TimeoutError, asyncio.TimeoutError)
    assert all(isinstance(one.retryable, bool) for one in errors)


def test_importing_the_package_imports_next_to_nothing():
    loaded = loaded_by("import eventyard")
    assert "eventyard" in loaded
    own = {name for name in loaded if name.startswith("eventyard.")}
    assert own == {"eventyard.version"}
    assert len(loaded) < FEW


def test_an_event_needs_no_loop_and_a_client_no_network():
    heavy = {
        "aiohttp",
        "asyncio",
        "socket",
        "ssl",
        "pydantic",
        "boto3",
        "typing_extensions",
    }
    assert not loaded_by("from eventyard import Event; Event('a')") & heavy
    client = loaded_by("from eventyard import EventRouterClient as C; C()")
    assert not client & {
        "aiohttp",
        "pydantic",
        "cryptography",
        "redis",
        "botocore",
        "rich",
    }


def test_every_public_method_of_a_client_says_what_it_does():
    for name in ("EventRouterClient", "EventStream", "Subscription", "Transaction"):
        kind = getattr(eventyard, name)
        for member in dir(kind):
            if not member.startswith("_") and callable(getattr(kind, member)):
                assert getattr(kind, member).__doc__, f"{name}.{member}"


def test_the_package_is_typed():
    assert (ROOT / "eventyard" / "py.typed").exists()
    told = ast.parse(Path(eventyard.__file__).read_text(encoding="utf-8"))
    block = next(one for one in told.body if isinstance(one, ast.If))
    names = {
        alias.name
        for one in block.body
        if isinstance(one, ast.ImportFrom)
        for alias in one.names
    }
    assert names | ELSEWHERE.keys() | {"__version__"} == set(eventyard.__all__)
