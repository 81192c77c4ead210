"""How many events a second are matched against many subscriptions, on one core."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eventyard.core.filters import compile_filter
from eventyard.core.matching import Matcher

_SIZES = (10, 1_000, 10_000)
_EVENTS = 4_000
# So often our engine sees each event before it is measured: its indexes stand then.
_WARM_UP = 18
_SECONDS = 0.4

Event = tuple[str, dict[str, Any]]
Filter = dict[str, Any] | None
Subscription = tuple[int, list[str], Filter]
Engine = Callable[[str, dict[str, Any]], list[int]]


@dataclass
class Mix:
    """Subscriptions and the events that they are tried on."""

    pattern: Callable[[random.Random], str]
    filter: Callable[[random.Random], Filter]
    event: Callable[[random.Random], Event]

    def subscriptions(self, count: int) -> list[Subscription]:
        rng = random.Random(count)
        return [(n, [self.pattern(rng)], self.filter(rng)) for n in range(count)]

    def events(self, count: int) -> list[Event]:
        rng = random.Random(0)
        return [self.event(rng) for _ in range(count)]


def measure() -> dict[str, Any]:
    """Match the same events with every engine, and hold the answers equal."""
    figures: dict[str, Any] = {}
    for name, mix in MIXES.items():
        for size in _SIZES:
            for what, figure in _compare(mix, size).items():
                figures[f"{name}, {size:,}: {what}"] = figure
    return figures


def _compare(mix: Mix, size: int) -> dict[str, Any]:
    subscriptions, events = mix.subscriptions(size), mix.events(_EVENTS)
    started = time.perf_counter()
    matcher = Matcher(subscriptions)
    matcher.match(*events[0])
    figures: dict[str, Any] = {
        "eventyard: add all, match one, ms": (time.perf_counter() - started) * 1000
    }
    for event in events * _WARM_UP:
        matcher.match(*event)
    ours, expected = _rate(matcher.match, events)
    figures["matches an event"] = sum(map(len, expected)) / len(expected)
    figures["eventyard, events/s"] = ours
    for name, build in ENGINES.items():
        theirs, found = _rate(build(subscriptions), events)
        assert found == expected[: len(found)], f"{name} matches otherwise"
        figures[f"{name}, events/s"] = theirs
        figures[f"eventyard / {name}"] = f"{ours / theirs:,.1f}"
    return figures


def _rate(engine: Engine, events: list[Event]) -> tuple[float, list[list[int]]]:
    """Run for a while, the slow ones on the first events only; all are warmed up."""
    once = min(_seconds(engine, events[:1])[0] for _ in range(2))
    some = events[: max(5, int(_SECONDS / once))]
    _seconds(engine, some)
    total, rounds = 0.0, 0
    while total < _SECONDS:
        seconds, found = _seconds(engine, some)
        total, rounds = total + seconds, rounds + 1
    return rounds * len(some) / total, found


def _seconds(engine: Engine, events: list[Event]) -> tuple[float, list[list[int]]]:
    started = time.perf_counter()
    found = [engine(topic, view) for topic, view in events]
    return time.perf_counter() - started, found


# What one would use instead


def _closures(subscriptions: list[Subscription]) -> Engine:
    matcher = Matcher(subscriptions)
    passes = {key: compile_filter(spec) for key, _, spec in subscriptions}

    def match(topic: str, view: dict[str, Any]) -> list[int]:
        return [key for key in matcher.considered(topic) if passes[key](view)]

    return match


def _each(compiled: Callable[[Filter], Callable[[Any], bool]]) -> Any:
    def build(subscriptions: list[Subscription]) -> Engine:
        tests = [
            (key, re.compile(_regex(patterns[0])).fullmatch, spec and compiled(spec))
            for key, patterns, spec in subscriptions
        ]

        def match(topic: str, view: dict[str, Any]) -> list[int]:
            return [
                key
                for key, fits, passes in tests
                if fits(topic) and (passes is None or passes(view))
            ]

        return match

    return build


def _regex(pattern: str) -> str:
    if pattern == "**":
        return ".*"
    steps = {"**": r"(?:\.[^.]+)*", "*": r"\.[^.]+"}
    parts = pattern.split(".")
    return "".join(steps.get(part, rf"\.{part}") for part in parts).removeprefix(r"\.")


def _mgqpy(spec: Filter) -> Callable[[Any], bool]:
    from mgqpy import Query

    return Query(spec).test


def _mongoquery(spec: Filter) -> Callable[[Any], bool]:
    from mongoquery import Query

    return Query(spec).match


def _moto(spec: Filter) -> Callable[[Any], bool]:
    from moto.events.models import EventPattern

    nested: dict[str, Any] = {}
    for path, condition in (spec or {}).items():
        *outer, last = path.split(".")
        inside = nested
        for step in outer:
            inside = inside.setdefault(step, {})
        inside[last] = _rule(condition)
    return EventPattern.load(json.dumps(nested)).matches_event


def _rule(condition: Any) -> list[Any]:
    if not isinstance(condition, dict):
        return [condition]
    if "$in" in condition:
        return condition["$in"]
    if "$ne" in condition:
        return [{"anything-but": condition["$ne"]}]
    signs = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
    numeric = [x for name, end in condition.items() for x in (signs[name], end)]
    return [{"numeric": numeric}]


ENGINES: dict[str, Callable[[list[Subscription]], Engine]] = {
    "trie + closures": _closures,
    "regex + mgqpy": _each(_mgqpy),
    "regex + mongoquery": _each(_mongoquery),
    "regex + moto": _each(_moto),
}


# What they are tried on


def _name(rng: random.Random, kind: str, count: int) -> str:
    return f"{kind}{rng.randrange(count)}"


def _topic(rng: random.Random) -> list[str]:
    return [_name(rng, "d", 50), _name(rng, "e", 10), _name(rng, "a", 8)]


def _mixed_pattern(rng: random.Random) -> str:
    parts = _topic(rng)
    domain, entity, action = parts
    star = rng.randrange(3)
    one = ".".join("*" if at == star else part for at, part in enumerate(parts))
    rare = [f"{domain}.*.*", f"{domain}.**.{action}", f"{domain}.{entity}.**"]
    other = "**" if rng.random() < 0.05 else rng.choice(rare)
    kinds = [".".join(parts), one, f"{domain}.**", other]
    return rng.choices(kinds, [60, 25, 10, 5])[0]


def _mixed_filter(rng: random.Random) -> Filter:
    low = rng.randrange(1000)
    regions = rng.sample([f"r{n}" for n in range(12)], 3)
    kinds: list[Filter] = [
        None,
        {"payload.user.id": rng.randrange(1000)},
        {"payload.status": rng.choice(_STATES)},
        {"payload.amount": {"$gt": low}},
        {"payload.region": {"$in": regions}},
        {"payload.amount": {"$gte": low, "$lt": low + 100}},
        {"priority": {"$ne": rng.randint(1, 10)}},
    ]
    return rng.choices(kinds, [30, 20, 10, 15, 10, 10, 5])[0]


def _mixed_event(rng: random.Random) -> Event:
    payload = {
        "user": {"id": rng.randrange(1000), "name": "Ada"},
        "status": rng.choice(_STATES),
        "amount": rng.randrange(1000),
        "region": _name(rng, "r", 12),
    }
    return _view(".".join(_topic(rng)), rng.randint(1, 10), payload)


def _hot_filter(rng: random.Random) -> Filter:
    user, low = rng.randrange(5000), rng.randrange(10_000)
    skus = [_name(rng, "sku", 2000) for _ in range(3)]
    narrow = {"$gte": low, "$lt": low + 50}
    kinds: list[Filter] = [
        {"payload.user.id": user},
        {"payload.user.id": user, "payload.amount": {"$gt": low}},
        {"payload.amount": {"$gt": 9_500 + low % 500}},
        {"payload.sku": {"$in": skus}},
        {"payload.region": _name(rng, "r", 12), "payload.amount": narrow},
    ]
    return rng.choices(kinds, [50, 25, 15, 5, 5])[0]


def _hot_event(rng: random.Random) -> Event:
    payload = {
        "user": {"id": rng.randrange(5000), "name": "Ada"},
        "sku": _name(rng, "sku", 2000),
        "amount": rng.randrange(10_000),
        "region": _name(rng, "r", 12),
    }
    return _view("orders.eu.created", 5, payload)


def _view(topic: str, priority: int, payload: dict[str, Any]) -> Event:
    return topic, {"type": topic, "priority": priority, "payload": payload}


_STATES = ("new", "paid", "sent", "done")
MIXES = {
    "mixed": Mix(_mixed_pattern, _mixed_filter, _mixed_event),
    "one hot topic": Mix(lambda _: "orders.**", _hot_filter, _hot_event),
}
