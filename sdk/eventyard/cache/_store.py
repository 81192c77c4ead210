"""Values by key: read, kept for a while, removed one by one, by pattern, by tag."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from time import monotonic, perf_counter
from typing import Any, Final, NamedTuple, TypeVar

from eventyard.cache import _scripts, _telling
from eventyard.cache._far import Client, Far, Script
from eventyard.cache._keys import LEASE, Keys, literal
from eventyard.cache._near import ASKED, COPY, UNTIL, VALUE, Entry, Near
from eventyard.cache._watching import Watch
from eventyard.cache.config import CacheConfig
from eventyard.telemetry.runtime import telemetry

_GET: Final = Script(_scripts.GET)
_SET: Final = Script(_scripts.SET)
_END_TAG: Final = Script(_scripts.END_TAG)
_PAGE: Final = 1_000
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
)
T = TypeVar("T")
#: What is returned where a value may be None.
MISSING: Final[Any] = object()


class Written(NamedTuple):
    """What is kept in Redis: its text, and how many ms it lasts, 0 for ever."""

    text: bytes
    ms: int
    #: So many of these it is old.
    stale_ms: int = 0


class Store:
    """What Redis and this process keep, as one."""

    def __init__(self, config: CacheConfig) -> None:
        self.config = config
        self.keys = Keys(config.key_prefix)
        self.hits = self.misses = 0
        self.watch = _watch(config) if config.enabled and config.local_tier else None
        #: In the way of every read: empty where nothing is kept near.
        self._entries: dict[str, Entry] = {}
        if self.watch is not None:
            self._entries = self.watch.near.entries
        self.far = Far(config, self._remove_all, self._far_changed)
        if self.watch is not None and self.far.made is not None:
            self.watch.listen(self.far.made)

    @property
    def near(self) -> Near | None:
        """Return what is kept in the process, if anything is."""
        return None if self.watch is None else self.watch.near

    def _far_changed(self, client: Client) -> None:
        if self.watch is not None:
            self.watch.far_changed(client)

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        entry = self._entries.get(key)
        if entry is not None and entry[UNTIL] > monotonic():
            self.hits += 1
            entry[ASKED] = True
            if telemetry.meter is not None:
                _telling.looked(key, self.keys.prefix, found=True)
            copy = entry[COPY]
            return entry[VALUE] if copy is None else copy(entry[VALUE])
        found = self._timed("get", key, lambda: self._look(key))
        return None if found is MISSING else found

    def peek(self, key: str) -> Any:
        """Return a value that is kept near, or MISSING."""
        entry = self._entries.get(key)
        return self.get(key) if entry and entry[UNTIL] > monotonic() else MISSING

    def _timed(self, operation: str, key: str, act: Callable[[], T]) -> T:
        """Do something, and tell telemetry how long it took, where there is any."""
        if telemetry.meter is None:
            return act()
        begun = perf_counter()
        try:
            return act()
        finally:
            took_ms = (perf_counter() - begun) * 1000
            _telling.took(operation, took_ms, key, self.keys.prefix)

    def _look(self, key: str) -> Any:
        """Return a value of Redis's, or MISSING; keep it near."""
        near = self.near
        if near is None:
            text = self.far.run(lambda client: client.get(key), MISSING)
            return self.read(key, text)
        epoch = near.epoch
        answer = self.far.run(lambda client: _GET(client, [key]), MISSING)
        if answer is MISSING or answer is None:
            return self.read(key, answer)
        text, left_ms = answer
        value = self.read(key, text)
        left = None if left_ms < 0 else left_ms / 1000
        self.keep_near(key, value, len(text), left, epoch=epoch)
        return value

    def keep_near(
        self, key: str, value: Any, size: int, ttl_s: float | None, *, epoch: int
    ) -> None:
        """Keep what was read from Redis, where its changes are heard of."""
        if self.watch is None or value is MISSING:
            return
        self.watch.ensure(self.far.client)
        if key.startswith(self.keys.prefix):
            self.watch.near.put(key, value, size, ttl_s, epoch=epoch)

    def read(self, key: str, text: Any, *, counted: bool = True) -> Any:
        """Read what Redis answered, and count it."""
        if text is MISSING:
            return MISSING
        value = MISSING if text is None else self._parsed(text)
        if counted or value is not MISSING:
            self._count(key, found=value is not MISSING)
        return value

    def _parsed(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            self.far.warn(type(error), f"something in Redis is no JSON: {error}")
            return MISSING

    def _count(self, key: str, *, found: bool) -> None:
        if found:
            self.hits += 1
        else:
            self.misses += 1
        if telemetry.meter is not None:
            _telling.looked(key, self.keys.prefix, found=found)

    def set(
        self,
        key: str,
        value: Any,
        ttl: float | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> bool:
        """Keep a value for so many seconds, for ever with None or 0; tell whether."""
        written = self.write(value, ttl)
        return written is not None and self.keep(key, written, tags=(*tags,))

    def write(
        self, value: Any, ttl: float | None, *, stale_ms: int = 0
    ) -> Written | None:
        """Write a value as JSON; None, with a warning, where it is none."""
        try:
            text = _ENCODER.encode(value).encode()
            ms = math.ceil(ttl * 1000) + stale_ms if ttl else 0
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            self.far.warn(type(error), f"this cannot be kept: {error}")
            return None
        return Written(text, ms, stale_ms) if ms >= 0 else None

    def keep(
        self, key: str, written: Written, *, tags: tuple[str, ...], token: str = ""
    ) -> bool:
        """Keep what was written; with a token, only while its lease is held."""
        return self._timed("set", key, lambda: self._keep(key, written, tags, token))

    def _keep(
        self, key: str, written: Written, tags: tuple[str, ...], token: str
    ) -> bool:
        names = [key, key + LEASE, *map(self.keys.tag, tags)]
        done = self.far.run(
            lambda client: _SET(client, names, written.text, written.ms, token), None
        )
        if self.near is not None:
            self.near.drop([key])
        if done is not None:
            return bool(done)
        # What is there of before is not true any more.
        self.far.must(("key", key), _remove(key), 0)
        return self._keep_alone(key, written, tags)

    def _keep_alone(self, key: str, written: Written, tags: tuple[str, ...]) -> bool:
        near = self.near
        if near is None or self.far.is_up:
            return False
        value = json.loads(written.text)
        ttl_s = (written.ms - written.stale_ms) / 1000 if written.ms else None
        size = len(written.text)
        return near.put(key, value, size, ttl_s, epoch=near.epoch, tags=tags)

    def delete(self, key: str) -> bool:
        """Remove a key; True also if there was none, False if nobody could be told."""
        return self._timed("delete", key, lambda: self._delete(key))

    def _delete(self, key: str) -> bool:
        done = self.far.must(("key", key), _remove(key), None)
        if self.near is not None:
            self.near.drop([key])
        return done is not None or (self.near is not None and not self.far.is_up)

    def delete_pattern(self, pattern: str) -> int:
        """Remove the keys that a pattern (`*`, `?`, `[a-z]`) fits; returns how many."""
        name = ("pattern", pattern)
        done = self.far.must(name, lambda client: self._sweep(client, pattern), None)
        dropped = 0 if self.near is None else self.near.drop_like(pattern)
        return dropped if done is None else done

    def clear_all(self) -> int:
        """Remove everything below the prefix; returns how many keys that were."""
        return self.delete_pattern(self.everything)

    @property
    def everything(self) -> str:
        """Return the pattern of all that is below the prefix."""
        return f"{literal(self.keys.prefix)}*"

    def invalidate_tag(self, tag: str) -> int:
        """Remove what was kept with a tag; returns how many keys that were."""
        name = self.keys.tag(tag)
        ended = self.far.must(name, lambda client: _end_tag(client, name), None)
        dropped = 0
        if self.near is not None:
            dropped = self.near.drop_tag(tag)
            self.near.drop(key.decode("utf-8", "replace") for key in ended or ())
        return dropped if ended is None else len(ended)

    def _remove_all(self, client: Client) -> None:
        self._sweep(client, self.everything)

    def _sweep(self, client: Client, pattern: str) -> int:
        """Remove what fits, page by page, so that Redis answers others in between."""
        count = 0
        for keys in self._pages(client, pattern):
            theirs = [key for key in keys if not self._is_own(key)]
            own = [key for key in keys if self._is_own(key)]
            count += client.unlink(*theirs) if theirs else 0
            if own:
                client.unlink(*own)
        if not pattern.endswith("*"):
            self._sweep(client, f"{pattern}{LEASE}*")
        return count

    def count(self, client: Client) -> int:
        """Return how many keys are below the prefix."""
        return len(
            {
                key
                for keys in self._pages(client, self.everything)
                for key in keys
                if not self._is_own(key)
            }
        )

    def _is_own(self, key: bytes) -> bool:
        return self.keys.is_own(key.decode("utf-8", "replace"))

    @staticmethod
    def _pages(client: Client, pattern: str) -> Iterable[list[bytes]]:
        cursor: Any = None
        while cursor != 0:
            cursor, keys = client.scan(cursor or 0, match=pattern, count=_PAGE)
            yield keys

    def close(self) -> None:
        """End connections and threads."""
        if self.watch is not None:
            self.watch.close()
        self.far.close()


def _watch(config: CacheConfig) -> Watch:
    near = Near(config.local_max_entries, config.local_max_bytes, config.local_ttl)
    return Watch(near, config.key_prefix)


def _end_tag(client: Client, name: str) -> list[bytes]:
    """Remove what a tag lists, page by page; returns the keys that were there."""
    ended, listed = [], _PAGE
    while listed == _PAGE:
        listed, page = _END_TAG(client, [name], LEASE, _PAGE)
        ended += page
    return ended


def _remove(key: str) -> Any:
    return lambda client: client.delete(key, key + LEASE)
