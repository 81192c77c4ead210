"""Look after a router: counts, subscriptions, health, what could not be handled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from eventyard.core.errors import (
    ConnectionError,  # noqa: A004 - its name there
    UnavailableError,
)
from eventyard.core.errors import TimeoutError as RouterTimeoutError
from eventyard.core.event import Event

if TYPE_CHECKING:
    from eventyard.client import EventRouterClient
    from eventyard.transports.base import DeadLetter

#: So many dead letters are asked for, and retried, at a time.
_PAGE: Final = 200
_AWAY: Final = (ConnectionError, RouterTimeoutError, UnavailableError)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a router counts; all that it tells reads like a field."""

    total_events: int
    events_per_second: float
    #: All figures, as the router names them.
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        """Return a figure by the router's name for it."""
        try:
            return self.figures[name]
        except KeyError:
            there = ", ".join(sorted(self.figures))
            raise AttributeError(f"there is no figure {name}, but {there}") from None


@dataclass(frozen=True, slots=True)
class SubscriptionInfo:
    """Who is subscribed to what."""

    id: str
    topics: list[str]
    #: Whose it is; None for one that the router itself delivers, as a webhook.
    client_id: str | None
    #: All else that the router tells.
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Health:
    """How a router does, and what is wrong with it."""

    is_healthy: bool
    issues: list[str]
    #: `healthy`, `degraded`, `unhealthy` or `unreachable`.
    status: str
    checks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadEvent:
    """An event that could not be handled; its fields read as the event's own."""

    #: What `retry_failed_events` takes.
    id: str
    last_error: str
    attempts: int
    #: Whose handler it was, or which subscription.
    subscription: str
    failed_at: str
    event: Event

    def __getattr__(self, name: str) -> Any:
        """Return a field of the event: `type`, `payload`, and all others."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.event, name)


class ManagementAgent:
    """
    Looks after the router that a client is connected to.

    Every method asks the router anew. Retrying needs the permission `admin` there.
    """

    def __init__(
        self,
        client: EventRouterClient,
        *,
        sample_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self._sample_s = sample_s
        self._clock = clock
        self._last: tuple[float, int] | None = None

    async def get_stats(self) -> Statistics:
        """
        Return what the router counts.

        `events_per_second` is the router's own figure, or what was published between
        the last call and this one; the first call takes two readings, half a second
        apart (`sample_s`).
        """
        figures = await self._figures()
        rate = figures.get("events_per_second")
        if rate is None:
            if self._rate(figures) is None:
                await asyncio.sleep(self._sample_s)
                figures = await self._figures()
            rate = self._rate(figures) or 0.0
            self._note(figures)
        return Statistics(_total(figures), float(rate), figures)

    async def _figures(self) -> dict[str, Any]:
        await self.client.connect()
        figures = await self.client.transport.stats()
        if self._last is None:
            self._note(figures)
        return figures

    def _note(self, figures: Mapping[str, Any]) -> None:
        self._last = (self._clock(), _total(figures))

    def _rate(self, figures: Mapping[str, Any]) -> float | None:
        """Return what was published a second since the last reading, if there is one."""
        if self._last is None:
            return None
        passed = self._clock() - self._last[0]
        if passed <= 0 or passed < self._sample_s / 2:
            return None
        # A router that was started anew counts from the beginning.
        return max(_total(figures) - self._last[1], 0) / passed

    async def list_subscriptions(self) -> list[SubscriptionInfo]:
        """Return who is subscribed to what."""
        await self.client.connect()
        return [
            _subscription(one) for one in await self.client.transport.subscriptions()
        ]

    async def health_check(self) -> Health:
        """Return how the router does; one that cannot be reached is not healthy."""
        try:
            await self.client.connect()
            told = await self.client.transport.health()
        except _AWAY as error:
            return Health(
                is_healthy=False, issues=[error.message], status="unreachable"
            )
        status = str(told.get("status", "healthy"))
        checks = {name: str(text) for name, text in told.get("checks", {}).items()}
        issues = [f"{name}: {text}" for name, text in checks.items() if text != "ok"]
        if status != "healthy" and not issues:
            issues = [f"the router says that it is {status}"]
        is_healthy = status == "healthy" and not issues
        return Health(is_healthy, issues, status, checks)

    async def get_dead_letter_queue(self, limit: int = _PAGE) -> list[DeadEvent]:
        """Return what could not be handled, the newest first."""
        await self.client.connect()
        letters = await self.client.transport.dead_letters(limit)
        return [_dead(letter, self._opened(letter.event)) for letter in letters]

    def _opened(self, event: Event) -> Event:
        return self.client.opened([event])[0]

    async def retry_failed_events(self, event_ids: Iterable[str] | None = None) -> int:
        """
        Have events delivered again that could not be handled; return how many.

        `event_ids` are ids of `get_dead_letter_queue`, or of the events themselves;
        without them it is all that lie there now.
        """
        await self.client.connect()
        if event_ids is None:
            return await self._retry_all()
        wanted = list(dict.fromkeys(event_ids))
        if not wanted:
            return 0
        return await self._retry(await self._resolved(wanted))

    async def _resolved(self, wanted: Sequence[str]) -> list[str]:
        """Return ids of dead letters for what may be ids of events."""
        of_event: dict[str, list[str]] = {}
        for letter in await self.client.transport.dead_letters(_PAGE):
            of_event.setdefault(letter.event.id, []).append(letter.id)
        found = [dead for one in wanted for dead in of_event.get(one, [one])]
        return list(dict.fromkeys(found))

    async def _retry(self, ids: Sequence[str]) -> int:
        done = 0
        for start in range(0, len(ids), _PAGE):
            done += await self.client.transport.retry(ids[start : start + _PAGE])
        return done

    async def _retry_all(self) -> int:
        tried: set[tuple[str, str]] = set()
        done = 0
        while True:
            letters = await self.client.transport.dead_letters(_PAGE)
            # What fails again meanwhile is not tried for ever.
            fresh = [one for one in letters if _whose(one) not in tried]
            if not fresh:
                return done
            tried |= {_whose(one) for one in fresh}
            done += await self._retry([one.id for one in fresh])


def _total(figures: Mapping[str, Any]) -> int:
    return int(figures.get("events_published", figures.get("total_events", 0)))


def _subscription(told: Mapping[str, Any]) -> SubscriptionInfo:
    rest = {k: v for k, v in told.items() if k not in ("id", "topics", "client_id")}
    return SubscriptionInfo(
        told["id"], list(told["topics"]), told.get("client_id"), rest
    )


def _dead(letter: DeadLetter, event: Event) -> DeadEvent:
    return DeadEvent(
        letter.id,
        letter.last_error,
        letter.attempts,
        letter.subscription,
        letter.failed_at,
        event,
    )


def _whose(letter: DeadLetter) -> tuple[str, str]:
    return letter.event.id, letter.subscription
