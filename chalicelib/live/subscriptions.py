"""What a connection asked for: patterns and filters, checked when it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eventyard.core.errors import SubscriptionError
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern

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
    events: str | None, behind: str | None = None
) -> Subscription:
    """Read the `events` query parameter: patterns with commas between."""
    topics = tuple(filter(None, (part.strip() for part in (events or "").split(","))))
    wanted = topics or DASHBOARD_EVENTS
    return checked(Subscription("dashboard", wanted, behind=behind))


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
