"""The client: publish and subscribe, whatever lies between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from eventyard.core import ulid
from eventyard.core.errors import ConnectionError, InvalidRequestError  # noqa: A004
from eventyard.events import EventBus, event_bus
from eventyard.patterns.bridge import SPOKEN, Bridge
from eventyard.patterns.conversing import Conversing
from eventyard.patterns.encryption import Sealing
from eventyard.patterns.guarding import Guarding
from eventyard.patterns.handling import handling_desk
from eventyard.patterns.outbox import Outbox
from eventyard.patterns.publishing import Publishing
from eventyard.patterns.repeats import Repeats
from eventyard.patterns.reporting import Reporter
from eventyard.patterns.sagas import Sagas
from eventyard.patterns.subscribing import Subscribing
from eventyard.settings import settled
from eventyard.transports.base import Caller
from eventyard.transports.choose import transport_for

if TYPE_CHECKING:
    from eventyard.cache import CacheManager

#: Something is being handled, or sent, for so long after the client is to close.
_PATIENCE_S: Final = 30.0


class EventRouterClient(Publishing, Conversing, Guarding):
    """
    Publishes events and has others handled.

    Without an address (`url`, or `EVENTYARD_URL`) the router is in this process. It
    connects when it is first needed; `async with` connects at once, and sends what is
    left when it ends. Decorators may be used before there is a connection, or a loop.

    Args:
        transport: `memory`, `http`, `websocket`, `redis` or `aws`; by the address.
        url: `http(s)://` or `ws(s)://` of a platform, with or without a path.
        config: All settings as a mapping; see `eventyard.settings.Settings`.
        client_id: Who it is to the router; made up unless it is given.
        **settings: Settings by their names. `batch_size`, `batch_timeout`: how events
            are gathered into commits. `pool_size`, `pool_timeout`: how many commits are
            on their way, and how long a call waits for its turn. `cache_size`,
            `cache_ttl`: the same type and payload is not sent again for so long.
            `buffer_size`, `overflow`: how many wait, and what becomes of more. `auth`:
            `{"type": "api_key", "key"}`, `{"type": "jwt", "token"}` (a text, or what
            returns one) or `{"type": "mtls", "cert", "key"}`. `encryption`:
            `{"enabled": True, "key"}` (32 bytes), `key_id`, `keys`.
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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._closing = False
        self._beside: set[asyncio.Task[None]] = set()
        self._who: Caller | None = None

    async def connect(self) -> Self:
        """
        Connect, and open what was registered; again it changes nothing.

        Raises ConnectionError, AuthenticationError, SubscriptionError.
        """
        if self._closing and handling_desk() is not None:
            # The closing waits for this handler, so it must not wait for the closing;
            # what the handler needs is there until then.
            if self._outbox is not None:
                return self
            raise ConnectionError("The client is being closed.")
        async with self._its_turn():
            if self._outbox is None:
                await self._open_all()
        await self._subscribing.settled()
        return self

    async def _open_all(self) -> None:
        await self.transport.connect()
        outbox = Outbox(
            self.settings, self.transport.publish, self._lose, self.transport.is_crowded
        )
        self._outbox, self._who = outbox, None
        try:
            await self._subscribing.connected()
            await self._sagas.connected()
        except BaseException:
            await self._close_all(resuming=False)
            raise

    async def disconnect(self) -> None:
        """
        Send what waits, let handlers end, and close the connection.

        Whoever iterates a subscription comes to an end; other subscriptions open again
        with the next connection.
        """
        if self._closing and handling_desk() is not None:
            return
        async with self._its_turn():
            if self._outbox is not None:
                await self._close_all(resuming=False)

    async def reconnect(self) -> Self:
        """Close the connection and make another one, which goes on where it was."""
        async with self._its_turn():
            if self._outbox is not None:
                await self._close_all(resuming=True)
            await self._open_all()
        return self

    async def _close_all(self, *, resuming: bool) -> None:
        self._closing = True
        try:
            await self._sagas.disconnected()
            await self._subscribing.disconnected(_PATIENCE_S, resuming=resuming)
            # Handlers may have published until here.
            outbox, self._outbox = self._outbox, None
            if outbox is not None:
                await outbox.close(_PATIENCE_S)
            await self._end_beside()
        finally:
            self._closing = False
            await self.transport.close()

    async def _end_beside(self) -> None:
        others = [one for one in self._beside if one is not asyncio.current_task()]
        if others:
            _, slow = await asyncio.wait(others, timeout=_PATIENCE_S)
            for task in slow:
                task.cancel()

    def _its_turn(self) -> asyncio.Lock:
        """Return what connects and closes in turn, in whichever loop this runs."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._outbox is not None and self._loop and not self._loop.is_closed():
                raise InvalidRequestError(
                    "The client is connected in another event loop: close it there, or "
                    "make one client for each loop."
                )
            # A loop that ended took its connections along.
            self._loop, self._turn, self._outbox = loop, asyncio.Lock(), None
            self._subscribing.abandoned()
        return self._turn

    close = disconnect

    def bridge(
        self,
        bus: EventBus | None = None,
        outward: Sequence[str] = SPOKEN,
        inward: Sequence[str] = SPOKEN,
        **options: Any,
    ) -> Bridge:
        """
        Have a bus and the router hear one another, each event once: enter it.

        Args:
            bus: The bus of this process unless it is another one.
            outward: Patterns of what is published on the bus and goes to the router;
                by default all that `EventType` speaks of.
            inward: Patterns of what comes from the router to the bus.
            **options: `acknowledged`: whoever publishes on the bus waits until the
                router has the event (it is sent soon otherwise, and `on_error` hears of
                what is lost). `durable`: a name, under which what came while nobody
                was connected is brought later.
        """
        return Bridge(
            self, event_bus if bus is None else bus, outward, inward, **options
        )

    def report(
        self,
        name: str | None = None,
        *,
        cache: CacheManager | None = None,
        bus: EventBus | None = None,
        every_s: float = 30.0,
    ) -> Reporter:
        """
        Have this process tell how it does, as events `telemetry.reported`: enter it.

        Args:
            name: What the process is called; its host and number unless it is given.
            cache: Whose hits and misses are told.
            bus: The bus of this process unless it is another one.
            every_s: How often, in seconds (1 to 300).

        Raises InvalidRequestError.
        """
        return Reporter(self, name, cache, event_bus if bus is None else bus, every_s)

    async def __aenter__(self) -> Self:
        """Connect."""
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        """Send what waits, and close."""
        await self.disconnect()

    @property
    def is_connected(self) -> bool:
        """Tell whether it was connected, and not closed since."""
        return self._outbox is not None

    def go_on(self, act: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; it ends with the client."""
        task = asyncio.get_running_loop().create_task(act)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
