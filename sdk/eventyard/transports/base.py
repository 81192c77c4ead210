"""What every transport can do; the client is written against this alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

from eventyard.core.errors import RequestError
from eventyard.core.event import Event

#: What one publish may hold: it is a commit, all or nothing.
MOST_EVENTS: Final = 100
#: What may name a subscription, in characters; the platform knows no longer ones.
LONGEST_SUBSCRIPTION: Final = 200
State = Literal["connecting", "connected", "reconnecting", "closed"]


@dataclass(frozen=True, slots=True)
class Commit:
    """What is appended together: 1 to 100 events, all or nothing."""

    events: tuple[Event, ...]
    #: With the same key again, it is answered as it was the first time.
    key: str
    #: Whether ids were chosen by whoever publishes; else the router may choose.
    own_ids: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What is told of an event that is in the log."""

    event_id: str
    status: str = "published"
    #: An earlier try was accepted already.
    deduplicated: bool = False
    #: What is odd about it, though it was accepted.
    warnings: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which events a subscription is for, and where in the log it begins."""

    #: Patterns; an event that fits any of them is wanted.
    topics: tuple[str, ...]
    filter: Mapping[str, Any] | None = None
    #: Begin behind this place; None: now.
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that was delivered, and the place in the log that it stands at."""

    event: Event
    #: A text that sorts as the log does; the highest one is where to go on.
    cursor: str


#: Takes a delivery, and never raises; as long as it is awaited, nothing more is read.
Sink = Callable[[Delivery], Awaitable[None]]


class Feed(ABC):
    """A subscription that is open; deliveries come again where a connection broke."""

    #: What the router calls it.
    id: str
    #: Where it began, if it was not told: all that is published since comes behind.
    begins: str | None = None

    @abstractmethod
    async def close(self) -> None:
        """End it; nothing is delivered behind this."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be handled, and why."""

    id: str
    event: Event
    last_error: str
    attempts: int
    #: Whose handler it was.
    subscription: str
    #: When it was given up, as ISO 8601.
    failed_at: str

    def again(self) -> Event:
        """Return its event for whose handler gave it up, though its id was seen."""
        told = {"retry-of": self.id, "retry-for": self.subscription}
        return self.event.copy(headers={**self.event.headers, **told})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a client is to the router."""

    id: str
    scopes: frozenset[str] = frozenset()

    def has_permission(self, name: str) -> bool:
        """Tell whether it may do something; who may administer may do all."""
        return "admin" in self.scopes or name in self.scopes


@dataclass(slots=True)
class Watched:
    """Hears of the connection; others may be added."""

    listeners: list[Callable[[State], None]] = field(default_factory=list)
    state: State = "closed"

    def change(self, state: State) -> None:
        """Tell everybody of a change, once."""
        if state != self.state:
            self.state = state
            for listener in [*self.listeners]:
                listener(state)


class Transport(ABC):
    """
    A way to a router.

    Every method raises the errors of `eventyard.core.errors`: ConnectionError and
    UnavailableError where another try may help, and which the client makes; others as
    they are.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.watched = Watched()

    @abstractmethod
    async def connect(self) -> None:
        """Make sure that the router is there; may be called again."""

    @abstractmethod
    async def close(self) -> None:
        """End all feeds, and let go of what is held."""

    def is_crowded(self, event: Event) -> bool:  # noqa: ARG002 - of others' interest
        """
        Tell whether those whom an event is for have too many waiting already.

        Only a router in this process can know that; whoever publishes outside of a
        handler waits while it is so.
        """
        return False

    @abstractmethod
    async def publish(self, commit: Commit) -> list[Published]:
        """Append a commit, all of it or nothing; return what is told of each event."""

    @abstractmethod
    async def subscribe(self, wish: Wish, sink: Sink) -> Feed:
        """
        Have events delivered at least once, nearly in the order of the log.

        Over a network two that were published within milliseconds may change places;
        `cursor` tells how they stand in the log.

        A connection that breaks is made again, and goes on behind the last delivery.
        Raises SubscriptionError.
        """

    @abstractmethod
    async def request(self, event: Event, timeout_s: float) -> Event:
        """Publish a question; return the first answer. Raises RequestError, TimeoutError."""

    @abstractmethod
    async def reply(self, request: Event, answer: Mapping[str, Any]) -> bool:
        """
        Answer a question with `payload`, or `error` (`type`, `message`).

        False: somebody answered before, or nobody waits any more.
        """

    @abstractmethod
    async def append(
        self, stream: str, events: Sequence[Event], expected_version: int | None
    ) -> int:
        """Append to an event stream; return its version. Raises ConflictError."""

    @abstractmethod
    async def read(
        self, stream: str, from_version: int, to_version: int | None, limit: int
    ) -> list[Event]:
        """Read a page of a stream, both ends included, versions beginning at 1."""

    @abstractmethod
    async def position(self, name: str) -> str | None:
        """Return the place that was kept under a name, or None."""

    @abstractmethod
    async def keep_position(self, name: str, cursor: str) -> None:
        """Keep a place under a name; a lower one than is kept changes nothing."""

    @abstractmethod
    async def bury(
        self, event: Event, subscription: str, error: str, attempts: int
    ) -> None:
        """Put an event into the dead letters that a handler gave up."""

    @abstractmethod
    async def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, the newest first."""

    @abstractmethod
    async def retry(self, ids: Sequence[str]) -> int:
        """Deliver dead letters again; return how many there were."""

    @abstractmethod
    async def whoami(self) -> Caller:
        """Return who this client is to the router."""

    @abstractmethod
    async def stats(self) -> dict[str, Any]:
        """Return counts, as `GET /api/v1/stats` names them."""

    @abstractmethod
    async def subscriptions(self) -> list[dict[str, Any]]:
        """Return who is subscribed: `id`, `topics`, `client_id` and more."""

    @abstractmethod
    async def health(self) -> dict[str, Any]:
        """Return how the router does: `status` and `checks`."""


def answered(asked: Event, address: str, answer: Mapping[str, Any]) -> Event:
    """Return the event that an answer is; raises RequestError where it is an error."""
    error = answer.get("error")
    if error is not None:
        raise RequestError(
            f"The responder failed: {error['message']}", details=dict(error)
        )
    return Event(
        address,
        answer["payload"],
        correlation_id=asked.correlation_id,
        causation_id=asked.id,
        source=answer.get("source"),
    )
