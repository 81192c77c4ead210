"""What a subscription may be told, and what is wrong with what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eventyard.core.errors import SubscriptionError
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern
from eventyard.patterns.handling import Handler, Registration, name_of
from eventyard.transports.base import Wish

_OPTIONS: Final = frozenset(
    {"concurrency", "durable", "local_filter", "order_by", "since"}
)
_MOST_AT_ONCE: Final = 1_000


def registered(
    topics: Sequence[str],
    handler: Handler,
    conditions: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    *,
    sealed: bool,
) -> Registration:
    """
    Return a registration for topics and conditions; raises SubscriptionError.

    `sealed` says that payloads are encrypted, so that no router can look at them.
    """
    _check(topics, conditions, options)
    if sealed and conditions is not None:
        _check_sealed(conditions)
    local = options.get("local_filter")
    return Registration(
        Wish(tuple(topics), conditions, options.get("since")),
        handler,
        name_of(handler),
        passes=compile_filter(local) if local is not None else None,
        concurrency=options.get("concurrency", 1),
        order_by=options.get("order_by"),
        durable=options.get("durable"),
    )


def _check(
    topics: Sequence[str],
    conditions: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> None:
    if not topics:
        raise SubscriptionError("Name a topic, or several; `*` is every one.")
    for topic in topics:
        if not isinstance(topic, str):
            raise SubscriptionError(
                f"A topic is a text, not {topic!r:.80}: name topics in parentheses, as "
                '`@client.on("user.created")`.'
            )
        compile_pattern(topic)
    compile_filter(conditions)
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise SubscriptionError(
            f"A subscription has no option {min(unknown)!r}; there are "
            f"{', '.join(sorted(_OPTIONS))}."
        )
    at_once = options.get("concurrency", 1)
    if not isinstance(at_once, int) or not 1 <= at_once <= _MOST_AT_ONCE:
        raise SubscriptionError(f"concurrency is 1 to {_MOST_AT_ONCE}.")


def _check_sealed(conditions: Mapping[str, Any]) -> None:
    looks_in = [path for path in _paths(conditions) if _is_payload(path)]
    if looks_in:
        raise SubscriptionError(
            f"The router cannot look at {looks_in[0]}: payloads are encrypted. Give the "
            "condition as local_filter, which is looked at here."
        )


def _is_payload(path: str) -> bool:
    return path.partition(".")[0] in ("payload", "data")


def _paths(conditions: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in conditions.items():
        if name in ("$and", "$or"):
            found += [path for one in value for path in _paths(one)]
        elif name == "$not":
            found += _paths(value)
        else:
            found.append(name)
    return found
