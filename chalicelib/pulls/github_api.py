"""GitHub's REST API, as far as pull requests need it."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from chalicelib.outbound import CallFailedError, Outbound, Reply
from eventyard.core import moments
from eventyard.core.errors import (
    AuthenticationError,
    EventRouterError,
    InvalidRequestError,
    UnavailableError,
)
from eventyard.core.wire import loads
from eventyard.version import VERSION

#: GitHub lists no more files of one pull request.
MOST_FILES: Final = 3_000
#: GitHub sends a delivery again for so long, and tells of it.
DELIVERIES_KEPT_S: Final = 3 * 86_400
_PAGE: Final = 100
_MOST_PAGES: Final = 50
_MOST_BYTES: Final = 20_000_000
_ALL_PAGES_S: Final = 60
_TRIES: Final = 3
_PAUSE_S: Final = 1.0
#: A limit that ends within this is waited for.
_PATIENCE_S: Final = 5.0
#: The limits are of an hour; a clock that is wrong must not stop us for ever.
_LONGEST_S: Final = 7_200.0
#: What GitHub asks for when it says no more than that the limit is reached.
_UNTOLD_S: Final = 60.0
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_NEXT: Final = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel="?next"?')
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_GONE: Final = frozenset({404, 410, 451})
_MOVED: Final = frozenset({301, 302, 307, 308})
_LIMITED: Final = frozenset({403, 429})
_OK: Final = range(200, 300)

Shape = dict[str, Any]


class RateLimitedError(UnavailableError):
    """GitHub answers no more for a while."""

    code = "rate_limited"

    def __init__(self, until: float) -> None:
        super().__init__(f"GitHub's rate limit is reached until {moments.at(until)}.")
        #: Unix seconds.
        self.until = until


class GitHubDownError(UnavailableError):
    """GitHub did not answer, however often it was asked."""

    code = "github_unavailable"


class GitHubRefusedError(EventRouterError):
    """GitHub says no, and will say so again."""

    code = "github_refused"


class TokenRefusedError(AuthenticationError):
    """GitHub does not take EVENTYARD_GITHUB_TOKEN: it is wrong, or has expired."""

    code = "github_token_refused"


@dataclass(slots=True)
class GitHubApi:
    """
    Asks GitHub, page by page; waits and tries again where that helps.

    Every method may raise one of the errors above. What is not there is None: GitHub
    does not tell whether it is gone or only hidden from the token.
    """

    outbound: Outbound
    base_url: str
    token: str = field(repr=False)
    timeout_s: float = 10.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    #: A number from 0 to 1: who fails together does not come again together.
    jitter: Callable[[], float] = random.random

    def files(self, repository: str, number: int) -> list[Shape] | None:
        """Return what a pull request changes, at most 3,000 files, with patches."""
        url = self._url(repository, f"pulls/{int(number)}/files?per_page={_PAGE}")
        return self._all(url, MOST_FILES)

    def compare(self, repository: str, base: str, head: str) -> Shape | None:
        """Compare two commits: `status`, and up to 300 `files`."""
        range_ = f"{quote(base, safe='')}...{quote(head, safe='')}"
        return self._object(self._url(repository, f"compare/{range_}"))

    def first_commit_at(self, repository: str, number: int) -> str | None:
        """Return when the first commit of a pull request was written."""
        url = self._url(repository, f"pulls/{int(number)}/commits?per_page=1")
        page = next(self._pages(url), None)
        commit: Shape = page[0].get("commit") or {} if page else {}
        date = (commit.get("author") or {}).get("date")
        return date if isinstance(date, str) else None

    def pull(self, repository: str, number: int) -> Shape | None:
        """Return a pull request with all that is told of it."""
        return self._object(self._url(repository, f"pulls/{int(number)}"))

    def open_pulls(self, repository: str) -> list[Shape] | None:
        """Return the open pull requests; a list tells no sizes of them."""
        path = f"pulls?state=open&sort=updated&direction=desc&per_page={_PAGE}"
        return self._all(self._url(repository, path), _PAGE * _MOST_PAGES)

    def hooks(self, repository: str) -> list[Shape] | None:
        """Return the webhooks of a repository; None as well where the token may not."""
        try:
            return self._all(self._url(repository, f"hooks?per_page={_PAGE}"), _PAGE)
        except GitHubRefusedError:
            return None

    def deliveries(self, repository: str, hook: int, since: float) -> Iterator[Shape]:
        """Yield what a hook sent since a moment (Unix s), the newest first."""
        path = f"hooks/{int(hook)}/deliveries?per_page={_PAGE}"
        for page in self._pages(self._url(repository, path)):
            for one in page:
                if _moment(one) < since:
                    return
                yield one

    def redeliver(self, repository: str, hook: int, delivery: int) -> bool:
        """Ask GitHub to send a delivery again; tell whether it will."""
        path = f"hooks/{int(hook)}/deliveries/{int(delivery)}/attempts"
        try:
            reply = self._call("POST", self._url(repository, path))
        except GitHubRefusedError:
            return False
        return reply.status in _OK

    def _url(self, repository: str, path: str) -> str:
        named = _REPOSITORY.fullmatch(repository)
        if named is None or {".", ".."} & set(repository.split("/")):
            raise InvalidRequestError(f"{repository[:80]!r} is no repository.")
        return f"{self.base_url}/repos/{repository}/{path}"

    def _object(self, url: str) -> Shape | None:
        reply = self._get(url)
        if reply is None:
            return None
        found = _json(reply)
        if not isinstance(found, dict):
            raise GitHubRefusedError("GitHub answered something else than an object.")
        return found

    def _all(self, url: str, most: int) -> list[Shape] | None:
        found: list[Shape] = []
        pages = iter(self._pages(url))
        first = next(pages, None)
        if first is None:
            return None
        found += first
        while len(found) < most and (page := next(pages, None)) is not None:
            found += page
        return found[:most]

    def _pages(self, url: str | None) -> Iterator[list[Shape]]:
        """Yield pages; none at all where there is nothing of that name."""
        until = self.clock() + _ALL_PAGES_S
        for _ in range(_MOST_PAGES):
            if self.clock() > until:
                raise GitHubDownError(f"GitHub needs over {_ALL_PAGES_S} s for a list.")
            reply = self._get(url) if url else None
            if reply is None:
                return
            page = _json(reply)
            if not isinstance(page, list):
                raise GitHubRefusedError("GitHub answered something else than a list.")
            yield page
            url = self._next(reply)

    def _next(self, reply: Reply) -> str | None:
        found = _NEXT.search(reply.headers.get("link", ""))
        return self._own(found[1]) if found else None

    def _own(self, url: str) -> str:
        # The token goes there: to nobody but who was configured.
        whole = urljoin(self.base_url, url)
        if urlsplit(whole)[:2] != urlsplit(self.base_url)[:2]:
            raise GitHubRefusedError("GitHub's answer leads to another host.")
        return whole

    def _get(self, url: str) -> Reply | None:
        reply = self._call("GET", url)
        if reply.status in _MOVED:
            # A repository that was renamed; one step, or somebody leads us round.
            reply = self._call("GET", self._own(reply.headers.get("location", "")))
        if reply.status in _GONE:
            return None
        if reply.status not in _OK:
            raise GitHubRefusedError(_said(reply))
        return reply

    def _call(self, method: str, url: str) -> Reply:
        failure: EventRouterError = GitHubDownError()
        for attempt in range(_TRIES):
            try:
                reply = self._send(method, url)
            except CallFailedError as error:
                failure, pause = GitHubDownError(f"GitHub: {error}"), None
            else:
                failed = self._failure(reply)
                if failed is None:
                    return reply
                failure, pause = failed
            if attempt + 1 < _TRIES:
                self.sleep(self._pause(attempt) if pause is None else pause)
        raise failure

    def _pause(self, attempt: int) -> float:
        return self.jitter() * _PAUSE_S * 2.0**attempt

    def _send(self, method: str, url: str) -> Reply:
        return self.outbound.call(
            method,
            url,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "User-Agent": f"Eventyard/{VERSION}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            body=b"" if method == "POST" else None,
            timeout_s=self.timeout_s,
            most_bytes=_MOST_BYTES,
        )

    def _failure(self, reply: Reply) -> tuple[EventRouterError, float | None] | None:
        """
        Return what is wrong and how long to wait; None if the answer is one.

        Raises what no further try would change.
        """
        if reply.status == 401:  # noqa: PLR2004
            raise TokenRefusedError
        if reply.status >= 500:  # noqa: PLR2004
            return GitHubDownError(_said(reply)), None
        until = self._limited(reply)
        if until is None:
            return None
        wait = max(until - self.clock(), 0.0)
        if wait > _PATIENCE_S:
            raise RateLimitedError(until)
        return RateLimitedError(until), wait

    def _limited(self, reply: Reply) -> float | None:
        """Return until when GitHub wants to be left alone."""
        if reply.status not in _LIMITED:
            return None
        now, headers = self.clock(), reply.headers
        after = headers.get("retry-after", "")
        reset = headers.get("x-ratelimit-reset", "")
        if _NUMBER.fullmatch(after):
            return now + min(float(after), _LONGEST_S)
        if headers.get("x-ratelimit-remaining") == "0" and _NUMBER.fullmatch(reset):
            return min(float(reset), now + _LONGEST_S)
        if reply.status == 429 or "rate limit" in _said(reply).lower():  # noqa: PLR2004
            return now + _UNTOLD_S
        return None


def is_delivered(delivery: Mapping[str, Any]) -> bool:
    """Tell whether an attempt to deliver was answered as it should be."""
    return delivery.get("status") == "OK" or delivery.get("status_code") in _OK


def _moment(delivery: Mapping[str, Any]) -> float:
    try:
        return moments.read(str(delivery.get("delivered_at"))).timestamp()
    except ValueError:
        return 0.0


def _json(reply: Reply) -> Any:
    try:
        return loads(reply.body)
    except InvalidRequestError:
        raise GitHubDownError("GitHub's answer is no JSON.") from None


def _said(reply: Reply) -> str:
    try:
        told = loads(reply.body)
    except InvalidRequestError:
        told = None
    message = told.get("message") if isinstance(told, dict) else None
    text = f": {message:.200}" if isinstance(message, str) else ""
    return f"GitHub answered {reply.status}{text}"
