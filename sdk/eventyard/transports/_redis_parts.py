"""Keys, places and errors of a router in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from eventyard.core.errors import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - its name there
    EventRouterError,
    InvalidRequestError,
)
from eventyard.core.event import Event
from eventyard.settings import Settings
from eventyard.transports.base import DeadLetter

#: What its answers are depends on how it is opened, which its types do not know.
Redis = Any
#: All keys have this in common, and lie in one slot of a cluster.
PREFIX: Final = "{eventyard}:"
LOG: Final = f"{PREFIX}log"
DEAD: Final = f"{PREFIX}dead"
FEEDS: Final = f"{PREFIX}feeds"
COUNTS: Final = f"{PREFIX}counts"
#: How long one waits for something before one asks again.
BLOCK_MS: Final = 5_000
#: Whoever is silent for longer than one waits for something is gone.
_SILENCE_S: Final = 15.0
#: Who was heard of within this listens.
ALIVE_S: Final = 60.0
_PORT: Final = 6_379
#: Behind the last event that an entry may have.
LAST: Final = 999


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """Say in our own errors what goes wrong with Redis."""
    from redis import exceptions

    try:
        yield
    except exceptions.AuthenticationError as error:
        raise AuthenticationError(f"Redis refuses the password: {error}") from error
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        raise ConnectionError(
            f"Redis does not answer ({error}). Does it run, and is its address right?"
        ) from error
    except exceptions.ResponseError as error:
        raise EventRouterError(f"Redis refuses: {error}") from error


def opened(settings: Settings) -> Redis:
    try:
        from redis import asyncio as redis
    except ImportError:
        raise InvalidRequestError(
            "Redis needs a library: pip install 'eventyard[redis]'"
        ) from None
    if settings.url.startswith(("redis://", "rediss://")):
        return redis.Redis.from_url(settings.url, protocol=2, socket_timeout=_SILENCE_S)
    known = {"host": "localhost", "port": _PORT, "socket_timeout": _SILENCE_S}
    return redis.Redis(**{**known, **settings.connection, "protocol": 2})


def place_of(entry: bytes, number: int) -> str:
    """Return a place as a text that sorts as the log does."""
    moment, _, sequence = entry.decode().partition("-")
    return f"{int(moment):013d}-{int(sequence):06d}-{number:03d}"


def entry_of(place: str) -> tuple[str, int]:
    try:
        moment, sequence, number = map(int, place.split("-"))
    except ValueError:
        raise InvalidRequestError(f"{place!r:.60} is no place in this log.") from None
    return f"{moment}-{sequence}", number


def of_stream(event: Event, stream: str) -> Event:
    return event.copy(stream_id=stream)


def letter_of(told_of: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(**{**told_of, "event": Event.from_dict(told_of["event"])})
