"""What the scraper needs of whoever asks the web for it: one request, one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from eventyard.core.errors import EventRouterError

#: Tells by the status and the headers of an answer whether its body is to be read.
Wanted = Callable[[int, Mapping[str, str]], bool]
#: What can be unpacked; brotli would need a library of 1 MB.
ACCEPTED: Final = "gzip, deflate"


class FetchError(EventRouterError):
    """There was no answer; the message says why."""

    code = "fetch_failed"

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; names of headers are in lower case, the body as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take as a whole, and how large its answer may be."""

    timeout_s: float
    most_bytes: int


class Web(Protocol):
    """
    Asks the web, each address checked and pinned before it is called.

    Redirects are answers like all others: whoever follows them checks them first.
    """

    async def get(
        self, url: str, headers: Mapping[str, str], limits: Limits, wanted: Wanted
    ) -> Fetched:
        """Ask for an address; raises FetchError."""
        ...

    async def close(self) -> None:
        """End what is under way, and close the connections."""
        ...
