"""How the scraper asks the web here: urllib3 in threads, each address checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from chalicelib.config import Settings
from chalicelib.outbound import CallFailedError, Guard, NoAnswerError, Outbound
from eventyard.core.addresses import AddressRefusedError
from eventyard.jobs.base import BaseService
from eventyard.jobs.scraping.fetching import Fetched, FetchError, Limits, Wanted
from eventyard.jobs.scraping.service import Setup

_THREADS: Final = 8


class ThreadedWeb:
    """The web for one job; its threads and connections end with it."""

    def __init__(self, guard: Guard) -> None:
        self._outbound = Outbound(guard)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")

    async def get(
        self, url: str, headers: Mapping[str, str], limits: Limits, wanted: Wanted
    ) -> Fetched:
        """Ask for an address; raises FetchError."""
        ask = partial(
            self._outbound.get,
            url,
            headers=headers,
            timeout_s=limits.timeout_s,
            most_bytes=limits.most_bytes,
            wanted=wanted,
        )
        try:
            got = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except (NoAnswerError, AddressRefusedError) as error:
            # Whoever had so long and did not answer is not given as long again.
            raise FetchError(error.message) from None
        except CallFailedError as error:
            raise FetchError(error.message, retryable=error.retryable) from None
        return Fetched(got.status, got.headers, got.body)

    async def close(self) -> None:
        """End what is under way: a job that was cancelled does not wait for it."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._outbound.cut()
        self._outbound.close()


def scraper(settings: Settings) -> Callable[[Any], BaseService]:
    """Return what makes the scraper of its class, as it is set up here."""
    guard, told = Guard(settings.allow_private_hosts), settings.scraping

    def make(kind: Any) -> BaseService:
        service: BaseService = kind(
            Setup(
                web=lambda: ThreadedWeb(guard),
                allowances=guard,
                agent=told.agent,
                gap_s=told.gap_ms / 1000,
                redaction_key=told.redaction_key.encode(),
            )
        )
        return service

    return make
