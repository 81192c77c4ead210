"""What a connection asked for: patterns and filters, checked when it asks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eventyard.core.errors import SubscriptionError
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern
from eventyard.websocket.wishes import normal, wish_of

#: What a dashboard is sent unless it asks otherwise.
DASHBOARD_EVENTS: Final = (
    "agent.started",
    "agent.task.completed",
    "agent.tool.executed",
    "memory.created",
    "memory.shared",
    "circle.created",
    "circle.member.added",
    "task.created",
    "task.started",
    "task.completed",
    "task.failed",
    "task.conflict.detected",
    "conversation.message",
)
_MOST_TOPICS: Final = 100
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Topic patterns and a filter, under an id that its connection knows."""

    id: str
    topics: tuple[str, ...]
    filter: Mapping[str, Any] = field(default_factory=dict)
    #: The cursor that it resumes from, until all that was missed since has been sent.
    #: Live frames carry it meanwhile: whoever is cut off then must begin there again.
    behind: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the shape it is stored in."""
        shape = {
            "id": self.id,
            "topics": list(self.topics),
            "filter": dict(self.filter),
        }
        return {**shape, "behind": self.behind} if self.behind else shape


def dashboard_subscription(
    query: Mapping[str, str], behind: str | None = None
) -> Subscription:
    """Read `types` or `events`, `circle_id` and `project_id` of the address."""
    return dashboard_wish(wish_of(query), behind)


def dashboard_wish(wish: Any, behind: str | None = None) -> Subscription:
    """
    Read what a dashboard wants: `types`, `circle_id`, `project_id`, each one or several.

    Raises InvalidRequestError or SubscriptionError saying what is wrong.
    """
    told = normal(wish)
    topics = tuple(told.pop("types", ())) or DASHBOARD_EVENTS
    conditions = {name: {"$in": _both_ways(ids)} for name, ids in told.items()}
    return checked(Subscription("dashboard", topics, conditions, behind))


def _both_ways(ids: Sequence[Any]) -> list[Any]:
    """Return ids as texts and, where they are ones, as numbers: an address has no kinds."""
    texts = [str(one) for one in ids]
    return [*texts, *(int(text) for text in texts if _NUMBER.fullmatch(text))]


def router_subscription(subscription_id: str, wish: Any) -> Subscription:
    """
    Read the `subscription` of a subscribe message.

    Besides `topics` and `filter` it may have `types` and `sources`, lists of which
    one must fit, and `priorities`, of which the lowest is the least that is sent.
    Raises SubscriptionError saying what is wrong.
    """
    if not isinstance(wish, Mapping):
        raise SubscriptionError("subscription must be an object.")
    topics = _texts(wish, "topics") or _texts(wish, "types") or ("*",)
    conditions = [_filter(wish)]
    if types := _texts(wish, "types"):
        conditions.append({"type": {"$in": list(types)}})
    if sources := _texts(wish, "sources"):
        conditions.append({"source": {"$in": list(sources)}})
    if priorities := _priorities(wish):
        conditions.append({"priority": {"$gte": min(priorities)}})
    conditions = [condition for condition in conditions if condition]
    whole = {"$and": conditions} if len(conditions) > 1 else dict(*conditions)
    return checked(Subscription(subscription_id, topics, whole))


def checked(subscription: Subscription) -> Subscription:
    """Return the subscription, or raise SubscriptionError."""
    if len(subscription.topics) > _MOST_TOPICS:
        raise SubscriptionError(f"At most {_MOST_TOPICS} topics in one subscription.")
    for topic in subscription.topics:
        compile_pattern(topic)
    compile_filter(subscription.filter)
    return subscription


def _texts(wish: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = wish.get(name) or []
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
        raise SubscriptionError(f"subscription.{name} must be a list of texts.")
    return tuple(value)


def _filter(wish: Mapping[str, Any]) -> Mapping[str, Any]:
    value = wish.get("filter") or {}
    if not isinstance(value, Mapping):
        raise SubscriptionError("subscription.filter must be an object.")
    return value


def _priorities(wish: Mapping[str, Any]) -> list[int]:
    value = wish.get("priorities") or []
    if not isinstance(value, list) or not all(type(v) is int for v in value):
        raise SubscriptionError("subscription.priorities must be a list of numbers.")
    return value
