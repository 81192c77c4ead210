"""The client: publish and subscribe, whatever lies between."""

from __future__ import annotations

import asyncio
import re
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import replace
from typing import Any, Final, Self, TypeVar, cast

from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.patterns import permissions, retries, windows
from eventyard.patterns.breaker import Breaker
from eventyard.patterns.encryption import Sealing
from eventyard.patterns.handling import (
    Handler,
    Registration,
    handled_event,
    marks,
)
from eventyard.patterns.options import registered
from eventyard.patterns.outbox import Letter, Outbox, patiently
from eventyard.patterns.repeats import Repeats
from eventyard.patterns.requests import responder
from eventyard.patterns.saga import Sagas
from eventyard.patterns.streams import EventStream
from eventyard.patterns.subscribing import ErrorHandler, Subscribing
from eventyard.patterns.subscription import Subscription, one_by_one
from eventyard.patterns.transaction import Transaction
from eventyard.settings import settled
from eventyard.transports.base import Caller, Commit, Published, Wish
from eventyard.transports.choose import transport_for

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
#: Something is being handled, or sent, for so long after the client is to close.
_PATIENCE_S: Final = 30.0


class EventRouterClient:
    """
    Publishes events and has others handled.

    Without an address (`url`, or `EVENTYARD_URL`) the router is in this process. It
    connects when it is first needed; `async with` connects at once, and sends what is
    left when it ends. Decorators may be used before there is a connection, or a loop.

    Args:
        transport: `memory`, `http`, `websocket`, `redis` or `aws`; by the address.
        url: `http(s)://` or `ws(s)://` of a platform, with or without a path.
        config: All settings as a mapping; see `eventyard.settings.Settings`.
        batch_size, batch_timeout: How events are gathered into commits.
        pool_size, pool_timeout: How many commits are on their way, and how long a call
            waits for its turn.
        cache_size, cache_ttl: The same type and payload is not sent again for so long.
        auth: `{"type": "api_key", "key"}`, `{"type": "jwt", "token"}` (a text, or what
            returns one) or `{"type": "mtls", "cert", "key"}`.
        encryption: `{"enabled": True, "key"}` (32 bytes), `key_id`, `keys`.
        client_id: Who it is to the router; made up unless it is given.
    """

    def __init__(
        self,
        transport: str | None = None,
        url: str | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        client_id: str | None = None,
        **settings: Any,
    ) -> None:
        self.settings = settled(config, transport=transport, url=url, **settings)
        self.client_id = client_id or f"client_{ulid.new_ulid()}"
        self.transport = transport_for(self.settings, self.client_id)
        self._sealing = Sealing.of(self.settings.encryption)
        self._subscribing = Subscribing(self.transport, self._sealing.opened)
        self._outbox: Outbox | None = None
        self._repeats = Repeats(self.settings.cache_size, self.settings.cache_ttl)
        self._sagas = Sagas(self)
        self._connecting = asyncio.Lock()
        self._connected = False
        self._losses: set[asyncio.Task[None]] = set()
        self._who: Caller | None = None

    # The connection.

    async def connect(self) -> Self:
        """Connect, and open what was registered; again it changes nothing."""
        async with self._connecting:
            if not self._connected:
                await self.transport.connect()
                self._outbox = Outbox(self.settings, self.transport.publish, self._lose)
                self._connected = True
                await self._subscribing.connected()
        await self._subscribing.settled()
        return self

    async def disconnect(self) -> None:
        """Send what waits, let handlers end, and close the connection."""
        async with self._connecting:
            if self._connected:
                self._connected = False
                await self._subscribing.disconnected(_PATIENCE_S)
                if self._outbox is not None:
                    await self._outbox.close(_PATIENCE_S)
                await asyncio.gather(*self._losses, return_exceptions=True)
                await self.transport.close()

    async def reconnect(self) -> Self:
        """Close the connection and make another one."""
        await self.disconnect()
        return await self.connect()

    close = disconnect

    async def __aenter__(self) -> Self:
        """Connect."""
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        """Send what waits, and close."""
        await self.disconnect()

    @property
    def is_connected(self) -> bool:
        """Tell whether it was connected, and not closed since."""
        return self._connected

    async def whoami(self) -> Caller:
        """Return who this client is to the router, and what it may do."""
        await self.connect()
        return await self.transport.whoami()

    # Publishing.

    def event(self, type: str | Event, payload: Any = None, **fields: Any) -> Event:  # noqa: A002
        """
        Return an event as it would be published: from this client, of this conversation.

        What is published while an event is handled has that as its cause.
        """
        if isinstance(type, Event):
            return type
        cause = handled_event()
        known = {"source": self.client_id}
        if cause is not None:
            known["causation_id"] = cause.id
            known["correlation_id"] = cause.correlation_id or cause.id
        given = {name: value for name, value in fields.items() if value is not None}
        return Event(type, {} if payload is None else payload, **{**known, **given})

    async def publish(
        self,
        type: str | Event,  # noqa: A002 - the field's own name
        payload: Any = None,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> str:
        """
        Publish an event; return its id once it is in the log.

        `fields` are those of an event: `source`, `target`, `priority`,
        `correlation_id`, `ttl`, `headers`, `tags`, or attributes of one's own. It is
        tried again where that may help; a second try never publishes twice.

        Raises PublishError (`retryable`), ValidationError, PermissionDeniedError.
        """
        letter = self._letter(type, payload, fields, idempotency_key)
        known = None if idempotency_key else self._repeats.known(letter.event)
        if known is not None:
            return await known
        outbox = await self._open_outbox()
        sent = asyncio.ensure_future(outbox.put(letter))
        if idempotency_key is None:
            self._repeats.note(letter.event, sent)
        return (await sent).event_id

    def publish_nowait(
        self, type: str | Event, payload: Any = None, **fields: Any
    ) -> None:  # noqa: A002
        """
        Publish an event sometime soon; whoever asked by `on_error` hears if it is lost.

        It needs a running loop. Nothing is lost silently: also what is dropped because
        too much waits is told.
        """
        letter = self._letter(type, payload, fields, None)
        if self._repeats.is_known(letter.event):
            return
        self._repeats.note(letter.event, None)
        if self._outbox is not None and self._connected:
            self._outbox.put_nowait(letter)
        else:
            self.go_on(self._connect_and_put(letter))

    async def _connect_and_put(self, letter: Letter) -> None:
        try:
            (await self._open_outbox()).put_nowait(letter)
        except Exception as error:  # noqa: BLE001 - nobody waits for it: told instead
            await self._subscribing.failed(error, letter.event)

    def _letter(
        self,
        type: str | Event,
        payload: Any,
        fields: Any,
        key: str | None,  # noqa: A002
    ) -> Letter:
        event = self.event(type, payload, **fields)
        # What is sealed is bound to its id.
        own = isinstance(type, Event) or "id" in fields or self._sealing.is_on
        return Letter(self._sealing.sealed(event), own, key)

    async def _open_outbox(self) -> Outbox:
        if self._outbox is None or not self._connected:
            await self.connect()
        if self._outbox is None:
            raise InvalidRequestError("The client was closed.")
        return self._outbox

    def _lose(self, error: Exception, event: Event) -> None:
        self.go_on(self._subscribing.failed(error, event))

    def go_on(self, act: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; it ends with the client."""
        task = asyncio.get_running_loop().create_task(act)
        self._losses.add(task)
        task.add_done_callback(self._losses.discard)

    async def publish_batch(
        self, events: Iterable[Event | tuple[str, Any]]
    ) -> list[Published | Exception]:
        """
        Publish many events; return in their order what is told of each.

        They go as commits of up to a hundred; one that is refused costs no other.
        """
        letters = [
            self._letter(*(one if isinstance(one, tuple) else (one, None)), {}, None)
            for one in events
        ]
        outbox = await self._open_outbox()
        sending = [outbox.put(letter) for letter in letters]
        told = await asyncio.gather(*sending, return_exceptions=True)
        return [_known(one) for one in told]

    async def publish_events(
        self, events: Iterable[Event]
    ) -> list[Published | Exception]:
        """Publish events that are made already, as `publish_batch` does."""
        return await self.publish_batch(events)

    def transaction(self) -> Transaction:
        """Return what publishes all or nothing, when its block ends well."""
        return Transaction(self)

    async def flush(self) -> None:
        """Wait until everything that was published by now is sent, or told as lost."""
        if self._outbox is not None:
            await self._outbox.flush()

    async def commit(self, commit: Commit) -> list[Published]:
        """Publish a commit as it is, tried again where that may help."""
        await self.connect()
        sealed = replace(commit, events=tuple(self.sealed(commit.events)))
        return await patiently(self.transport.publish, sealed)

    def sealed(self, events: Iterable[Event]) -> list[Event]:
        """Return events as they go out: encrypted, where that is set up."""
        return [self._sealing.sealed(event) for event in events]

    def opened(self, events: Iterable[Event]) -> list[Event]:
        """Return events as they can be read."""
        return [self._sealing.opened(event) for event in events]

    # Subscribing.

    def on(
        self,
        *types: str,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - as callers know it
        **options: Any,
    ) -> Callable[[F], F]:
        """
        Have a function called with each event of some types, or patterns.

        Options are those of `subscribe`. It may be used before there is a connection.
        """

        def register(function: F) -> F:
            registration = self._registration(types, function, filter, options)
            marks(function).append(registration)
            self.register(registration)
            return function

        return register

    def on_pattern(self, regex: str, **options: Any) -> Callable[[F], F]:
        """Have a function called with each event whose whole type fits a regex."""
        pattern = re.compile(regex)

        def register(function: F) -> F:
            registration = self._registration(("**",), function, None, options)
            registration.wish = Wish(("**",), {"type": {"$regex": f"^(?:{regex})$"}})
            registration.pattern = pattern
            marks(function).append(registration)
            self.register(registration)
            return function

        return register

    def register(self, registration: Registration) -> None:
        """Subscribe a registration, now or once there is a connection."""
        self._subscribing.register(registration)

    def forget(self, registration: Registration) -> None:
        """Take back a registration that is not open yet."""
        self._subscribing.forget(registration)

    def subscribe(
        self,
        topics: str | Sequence[str],
        handler: Handler | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - as callers know it
        **options: Any,
    ) -> Subscription:
        """
        Subscribe to topics: await it, enter it, or iterate it.

        Args:
            topics: A pattern or several; `*` is one segment, `**` any number.
            handler: What is called with each event; without one, iterate.
            filter: Conditions, looked at by the router.
            local_filter: Conditions that are looked at here: of payloads that are
                encrypted, for one.
            concurrency: How many events are handled at a time (1).
            order_by: Returns what events of one order share, with a concurrency.
            durable: A name: what came while nobody was connected is delivered later.
            since: A cursor to begin behind.
        """
        wanted = (topics,) if isinstance(topics, str) else tuple(topics)
        registration = self._registration(wanted, handler or _nothing, filter, options)
        return Subscription(
            registration, self._open, self._subscribing.close, iterated=handler is None
        )

    async def _open(self, registration: Registration) -> None:
        await self.connect()
        await self._subscribing.open(registration)

    def _registration(
        self,
        topics: Sequence[str],
        handler: Handler,
        conditions: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> Registration:
        return registered(
            topics, handler, conditions, options, sealed=self._sealing.is_on
        )

    def stream(
        self,
        topics: str | Sequence[str],
        batch_size: int = 1,
        timeout: float | None = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """
        Yield events as they come; with a `batch_size` lists of so many.

        After `timeout` seconds a list is yielded as it is.
        """
        subscription = self.subscribe(topics, **options)
        if batch_size == 1:
            return one_by_one(subscription)
        return windows.batched(subscription, batch_size, timeout)

    def window(
        self,
        topics: str | Sequence[str],
        size: str | float = "1m",
        slide: str | float | None = None,
        grace: str | float = 0,
        **options: Any,
    ) -> AsyncIterator[list[Event]]:
        """
        Yield the events of windows of time, when each is over; empty ones are left out.

        Windows tumble, or slide by `slide`; who is late by `grace` counts.
        """
        gathered = windows.windows(size, slide, grace)
        return windows.windowed(self.subscribe(topics, **options), gathered)

    def on_error(self, handler: ErrorHandler) -> ErrorHandler:
        """Have a function called with each error that nothing helped, and its event."""
        self._subscribing.error_handlers.append(handler)
        return handler

    # Patterns.

    async def request(
        self,
        type: str,  # noqa: A002 - the field's own name
        payload: Any = None,
        timeout: float = 5.0,
        **fields: Any,
    ) -> Event:
        """
        Ask something; return the first answer.

        Raises RequestError with what the responder says, or TimeoutError.
        """
        await self.connect()
        event = self._sealing.sealed(self.event(type, payload, **fields))
        return self._sealing.opened(await self.transport.request(event, timeout))

    def respond(self, type: str, **options: Any) -> Callable[[F], F]:  # noqa: A002
        """Have a function answer questions; what it returns, or raises, is the answer."""

        def register(function: F) -> F:
            answering = responder(self.transport, function)
            self.register(self._registration((type,), answering, None, options))
            return function

        return register

    def event_stream(self, stream_id: str) -> EventStream:
        """Return the history of one thing."""
        return EventStream(self, stream_id)

    def saga(self, name: str, **options: Any) -> Callable[[type[T]], type[T]]:
        """Make a class a saga: an instance for each conversation; see `Sagas`."""
        return self._sagas.definer(name, **options)

    def circuit_breaker(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 30.0,
        expected_exception: type[BaseException] = Exception,
    ) -> Callable[[F], F]:
        """Leave alone for a while what fails again and again; its events wait."""
        breaker = Breaker(failure_threshold, recovery_timeout, expected_exception)
        return lambda function: cast("F", breaker.wrap(function))

    def error_handler(self, **options: Any) -> Callable[[F], F]:
        """
        Try a handler again when it fails, then put its event into the dead letters.

        Options: `max_retries` (3), `backoff` (`exponential`, `linear`, `fixed`),
        `delay` (1 s), `dead_letter_queue` (True).
        """
        retrying = retries.Retrying(**options)
        return lambda function: cast("F", retrying.wrap(function, self.bury))

    async def bury(self, event: Event, whose: str, error: str, attempts: int) -> None:
        """Put an event into the dead letters."""
        subscription = f"{self.client_id}/{whose}"
        await self.transport.bury(event, subscription, error, attempts)

    def require_permission(self, name: str) -> Callable[[F], F]:
        """Call a handler only where this client may do something."""
        return lambda f: cast("F", permissions.requiring(name, f, self._caller))

    def authorize(self, function: F) -> F:
        """Have a handler called with `(event, context)`; what is not true refuses."""
        return cast("F", permissions.authorizing(function, self._caller))

    async def _caller(self) -> Caller:
        if self._who is None:
            self._who = await self.whoami()
        return self._who


async def _nothing(_: Event) -> None:
    """Stand in for whoever iterates."""


def _known(told: Published | BaseException) -> Published | Exception:
    if isinstance(told, Published | Exception):
        return told
    raise told
