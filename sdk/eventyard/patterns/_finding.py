"""Which saga an event belongs to."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from eventyard.core import ulid
from eventyard.core.errors import ConflictError
from eventyard.core.event import Event
from eventyard.patterns._instance import Instance
from eventyard.patterns.kernel import Kernel
from eventyard.patterns.saga import Definition, Step
from eventyard.patterns.streams import EventStream

_MOST_KNOWN: Final = 10_000
#: All sagas of a name are named in so many streams.
SHARDS: Final = 4


class Finding:
    """
    Finds sagas by what they are about, and begins them.

    The stream of a saga is named by its best key, so that of several clients one begins
    it; other keys have a stream each, that says where it is.
    """

    def __init__(self, client: Kernel, clock: Callable[[], float]) -> None:
        self._client = client
        self.clock = clock
        self._whose = ulid.new_ulid()
        self._known: OrderedDict[str, Instance] = OrderedDict()
        #: Sagas that are not over, and may need something when a time has come.
        self.open: dict[str, Instance] = {}

    def forget(self) -> None:
        """Know nothing any more; what this client had begun was another one's."""
        self._whose = ulid.new_ulid()
        self._known.clear()
        self.open.clear()

    async def instance(
        self, definition: Definition, step: Step, event: Event
    ) -> Instance | None:
        """Return the saga of an event, begun now where this is how it begins."""
        own = definition.own_keys(event)
        if step.name in definition.starts:
            return await self._begin(definition, event, own)
        return await self._spoken_of(definition, event, own)

    async def _spoken_of(
        self, definition: Definition, event: Event, own: list[str]
    ) -> Instance | None:
        """Return the saga that an event belongs to, by its conversation or its keys."""
        talk = event.correlation_id
        by_talk = talk and await self.find(definition, definition.address(talk))
        addresses = [definition.address(key) for key in own]
        if by_talk and (not own or by_talk.stream.id in addresses):
            return by_talk
        # In one conversation there may be several sagas: each has its own keys.
        for address in addresses:
            found = await self.find(definition, address)
            if found is not None:
                return found
        return by_talk or None

    async def _begin(
        self, definition: Definition, event: Event, own: list[str]
    ) -> Instance:
        """Begin a saga, or return the one that has begun with what this is about."""
        keys = [*own, event.correlation_id or event.id]
        address = definition.address(keys[0])
        found = await self.find(definition, address)
        if found is None:
            found = self._made(definition, address)
            at = self.clock()
            shard = definition.register_of(zlib.crc32(address.encode()) % SHARDS)
            told = Event("saga.named", {"saga_id": address, "at": at})
            await self.stream(shard).append_all([told])
            if not await found.start(at, event):
                await found.refresh()
        for key in dict.fromkeys(keys[1:]):
            await self._point(definition, key, found)
        self._note(address, found)
        return found

    async def _point(self, definition: Definition, key: str, to: Instance) -> None:
        """Let a saga be found by another key as well, unless one is found by it."""
        address = definition.address(key)
        if address not in self._known:
            told = Event("saga.known", {"saga_id": to.stream.id})
            try:
                await self.stream(address).append_all([told], 0)
            except ConflictError:
                return
            self._note(address, to)

    async def find(self, definition: Definition, address: str) -> Instance | None:
        if address in self._known:
            return self._known[address]
        page = await self.stream(address).read(1, 1)
        if not page:
            return None
        target = page[0].payload.get("saga_id", address)
        found = self._known.get(target)
        if found is None:
            found = self._made(definition, target)
            await found.refresh()
            self._note(target, found)
        self._note(address, found)
        return found

    def _made(self, definition: Definition, address: str) -> Instance:
        return Instance.of(definition, self.stream(address), self._whose)

    def stream(self, stream_id: str) -> EventStream:
        return EventStream(self._client, stream_id)

    def _note(self, address: str, instance: Instance) -> None:
        self._known[address] = instance
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        if not instance.is_over:
            self.open[instance.stream.id] = instance
