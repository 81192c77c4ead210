"""Redis, which may be away: asked with little patience, left alone, asked again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from hashlib import sha1
from threading import Lock
from typing import Any, Final, TypeVar

from eventyard.cache.config import CacheConfig

_LOGGER = logging.getLogger("eventyard.cache")
#: Which class it is, and what it answers, depends on the version of redis-py.
Client = Any
Act = Callable[[Client], Any]
T = TypeVar("T")
#: So many things that could not be deleted are remembered; beyond, all is.
_MOST_OWED: Final = 1_000
_MOST_CONNECTIONS: Final = 10_000


class Far:
    """
    Runs what it is given against Redis, or returns what stands for no answer.

    After a failure nobody is asked for a while. What was to be deleted meanwhile is
    deleted before anything is read again.
    """

    def __init__(
        self, config: CacheConfig, start_over: Act, on_change: Callable[[Client], None]
    ) -> None:
        self._config = config
        #: Deletes everything, when too much is owed to know it one by one.
        self._start_over = start_over
        #: Called with the connections when it is back, with None when it is away.
        self._on_change = on_change
        self._asking, self._owing = Lock(), Lock()
        self._up = False
        self._ask_at = 0.0
        self._owed: dict[Any, Act] = {}
        self._told: set[type[BaseException]] = set()
        #: The connections, whether anybody answers or not; None: there never will be any.
        self.made: Client = None
        #: Why nobody is asked, as people read it.
        self.reason = ""
        self._open()

    def _open(self) -> None:
        if not self._config.enabled:
            self._never("the cache is disabled")
            return
        try:
            self.made = _client(self._config)
        except ImportError:
            self._never("it needs a library: pip install 'eventyard[redis]'")
        except Exception as error:  # noqa: BLE001 - a cache never fails its caller
            self._never(f"its configuration is no good: {error}")
        else:
            self._ready()

    def _never(self, reason: str) -> None:
        self.reason, self._ask_at = reason, float("inf")
        _LOGGER.warning("no cache in Redis: %s", reason)

    @property
    def is_up(self) -> bool:
        """Tell whether it answered when it was last asked."""
        return self._up

    @property
    def client(self) -> Client:
        """Return the connections, or None while it is away."""
        return self.made if self._up else None

    def ask_again(self) -> bool:
        """Tell whether it answers, asking if it was left alone for long enough."""
        return self._ready() is not None

    def run(self, act: Callable[[Client], T], otherwise: T) -> T:
        """Return what Redis says, or what stands for no answer."""
        client = self.made if self._up else self._ready()
        if client is None:
            return otherwise
        try:
            return act(client)
        except Exception as error:  # noqa: BLE001 - a cache never fails its caller
            self._failed(error)
            return otherwise

    def must(self, name: Any, act: Callable[[Client], T], otherwise: T) -> T:
        """Do as `run`; what cannot be done now is done before Redis is read again."""
        missing: Any = object()
        done: T = self.run(act, missing)
        if done is not missing:
            return done
        if self.made is not None:
            self._owe(name, act)
        return otherwise

    def _owe(self, name: Any, act: Act) -> None:
        with self._owing:
            if len(self._owed) < _MOST_OWED:
                self._owed[name] = act
            else:
                self._owed = {"all": self._start_over}
        if self._up:
            # It came back in between, and nobody would look again.
            self.run(lambda _: self._pay(), None)

    def _ready(self) -> Client:
        if time.monotonic() < self._ask_at:
            return None
        if not self._asking.acquire(blocking=False):
            return None
        try:
            return self.made if self._up else self._try()
        finally:
            self._asking.release()

    def _try(self) -> Client:
        self._ask_at = time.monotonic() + self._config.pause
        try:
            self.made.ping()
            self._pay()
        except Exception as error:  # noqa: BLE001 - a cache never fails its caller
            self._is_down(error)
            return None
        if self.reason:
            _LOGGER.info("Redis is back")
        self.reason, self._up = "", True
        self._told.clear()
        self._on_change(self.made)
        self.run(lambda _: self._pay(), None)
        return self.made

    def _pay(self) -> None:
        while (owed := self._next_owed()) is not None:
            name, act = owed
            try:
                act(self.made)
            except Exception:
                with self._owing:
                    self._owed.setdefault(name, act)
                raise

    def _next_owed(self) -> tuple[Any, Act] | None:
        with self._owing:
            return self._owed.popitem() if self._owed else None

    def _failed(self, error: Exception) -> None:
        if not _is_away(error):
            self.warn(type(error), f"Redis refuses: {error}")
            return
        self._up = False
        self._is_down(error)

    def _is_down(self, error: Exception) -> None:
        self._ask_at = time.monotonic() + self._config.pause
        self.reason = f"Redis does not answer: {error}"
        self.warn(Far, self.reason)
        self._on_change(None)

    def warn(self, kind: type, text: str) -> None:
        """Say a thing of a kind once, until Redis is back."""
        if kind not in self._told:
            self._told.add(kind)
            _LOGGER.warning("the cache goes on without: %s", text)

    def close(self) -> None:
        """End all connections; nobody is asked any more."""
        self._up, self._ask_at = False, float("inf")
        self.reason = "the cache is closed"
        if self.made is not None:
            self.made.close()


class Script:
    """A script that Redis is told once, then called by its digest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: Client, keys: Sequence[str], *values: Any) -> Any:
        """Run it."""
        from redis.exceptions import NoScriptError

        try:
            return client.evalsha(self._digest, len(keys), *keys, *values)
        except NoScriptError:
            return client.eval(self._text, len(keys), *keys, *values)


def _client(config: CacheConfig) -> Client:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError  # noqa: A004 - its name there
    from redis.retry import Retry

    # A connection from before a restart fails once; one that is slow is not tried again.
    once = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
    return Redis(
        host=config.host,
        port=config.port,
        db=config.db,
        password=config.password,
        decode_responses=False,
        protocol=2,
        socket_timeout=config.timeout,
        socket_connect_timeout=config.timeout,
        retry=once,
        # One for each thread that asks at once; to be refused one is no outage.
        max_connections=_MOST_CONNECTIONS,
    )


def _is_away(error: Exception) -> bool:
    from redis.exceptions import (
        ConnectionError,  # noqa: A004 - its name there
        TimeoutError,  # noqa: A004 - its name there
    )

    return isinstance(error, ConnectionError | TimeoutError | OSError)
