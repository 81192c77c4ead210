"""Insights: each commit of a pull request is read once, whoever asks how often."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.pulls.analyst import Analyst, Answer
from chalicelib.pulls.github_api import GitHubApi, RateLimitedError
from chalicelib.pulls.insight_store import Insight, InsightStore, Kept, Key
from chalicelib.pulls.patches import FileChange, diff_hash, read_files
from chalicelib.pulls.request import Request
from chalicelib.pulls.said import cost, hardened, made, with_flow
from chalicelib.telemetry import log, log_error
from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.wire import loads

__all__ = ["InsightService", "InsightStore"]

_QUEUE: Final = "insights"
#: Tries that died; after them nobody is asked any more, and the rules read.
_MOST_ATTEMPTS: Final = 3
_MOST_PUT_OFF: Final = 3
#: GitHub compares no more files than this.
_MOST_COMPARED: Final = 300
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Pull = Mapping[str, Any]
Files = tuple[FileChange, ...] | None


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a message of the queue asks for."""

    key: Key
    again: bool
    message: str


@dataclass(frozen=True, slots=True)
class _Turn:
    """One try at reading a commit: how much may still be asked of others."""

    #: Whether GitHub and a model are asked at all.
    asks: bool = True
    #: Whether a limit of GitHub's may put it off.
    patient: bool = True


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was asked, and what came of it."""

    request: Request
    answer: Answer
    cached: bool = False


@dataclass(slots=True)
class InsightService:
    """
    Reads pull requests off a queue.

    A commit is read by one at a time, and once: a lease is taken, and given back by
    time if its holder dies. Nothing here is on the way of the state or of a frame.
    """

    store: InsightStore
    #: None: there is no token.
    github: GitHubApi | None
    analyst: Analyst
    offline: Analyst
    #: repository, base sha, base branch, head sha, branch: how the event flow changes.
    flows: Callable[..., Mapping[str, Any] | None]
    #: The state of a pull request.
    current: Callable[[str, int], Pull | None]
    #: Tells the state of an insight and of the files, if those are known now.
    attach: Callable[[str, int, Insight, list[Insight] | None], None]
    #: Puts a message aside with the reason: queue, body, reason.
    bury: Callable[[str, str, str], None]
    #: Of a million tokens in and out, in USD.
    prices: tuple[float, float] | None = None
    clock: Callable[[], float] = time.time

    def latest(self, repository: str, number: int) -> Insight | None:
        """Return the newest insight of a pull request."""
        return self.store.latest(repository, number)

    def all(self, repository: str, number: int) -> list[Insight]:
        """Return the insights of a pull request, the newest first."""
        return self.store.all(repository, number)

    def run(self, event: Item) -> Item:
        """Do a batch of the queue; returns Lambda's partial batch response."""
        failed = [one["messageId"] for one in event["Records"] if not self._do(one)]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    def _do(self, record: Item) -> bool:
        try:
            wish = _wish(record)
        except EventRouterError as error:
            log_error("a wish cannot be read", error, message_id=record["messageId"])
            self.bury(_QUEUE, record["body"], str(error))
            return True
        try:
            return self._grant(wish)
        except Exception as error:  # noqa: BLE001 - it comes again, whatever it was
            log_error("an insight failed", error, **_told(wish.key))
            return False

    def _grant(self, wish: _Wish) -> bool:
        """Do what a message asks for; tell whether it is done with."""
        pull = self._wanted(wish.key)
        if pull is None:
            return True
        kept = self.store.get(wish.key)
        if kept is not None and (not wish.again or kept.message == wish.message):
            self._refresh(wish.key, pull, kept)
            return True
        owner = ulid.new_ulid()
        if not self.store.take(wish.key, owner):
            log("somebody reads it already", **_told(wish.key))
            return False
        return self._try(wish, pull, owner)

    def _wanted(self, key: Key) -> Pull | None:
        pull = self.current(key.repository, key.number)
        if pull is not None and pull.get("commit_sha") == key.sha:
            return pull
        log("nobody needs this insight any more", **_told(key))
        return None

    def _try(self, wish: _Wish, pull: Pull, owner: str) -> bool:
        attempts, put_off = self.store.attempt(wish.key)
        turn = _Turn(attempts <= _MOST_ATTEMPTS, put_off < _MOST_PUT_OFF)
        try:
            self._make(wish, pull, turn)
        except RateLimitedError as error:
            log_error("an insight is put off", error, **_told(wish.key))
            self.store.put_off(wish.key)
            self.store.release(wish.key, owner)
            return False
        except Exception:
            self.store.release(wish.key, owner)
            raise
        self.store.done(wish.key)
        return True

    def _make(self, wish: _Wish, pull: Pull, turn: _Turn) -> None:
        files = self._files(wish.key, turn)
        request = Request.of(pull, files, flow=self._flow(pull))
        alone = _is_bot(pull) or not turn.asks
        reading = self._read(wish, self.offline if alone else self.analyst, request)
        analysis = reading.answer.analysis
        if reading.answer.analyst != self.offline.name:
            # What is certain is told whatever a model was talked into.
            analysis = hardened(analysis, files or ())
        insight = made(
            reading.request,
            reading.answer,
            with_flow(analysis, request.flow),
            cached=reading.cached,
            prices=self.prices,
            now=self.clock(),
        )
        kept = Kept(insight, analysis, wish.message, attached=False)
        self.store.save(wish.key, kept)
        self.store.count(
            made=1,
            cached=int(reading.cached),
            fallbacks=int(reading.answer.fallback_reason is not None),
        )
        self._tell(wish.key, kept, files)

    def _read(self, wish: _Wish, reader: Analyst, request: Request) -> _Reading:
        if reader.name == self.offline.name:
            return _Reading(request, reader.analyse(request))
        if request.files is None:
            return _Reading(request, self._asked(reader, request))
        name = f"{reader.key}#{diff_hash(request.repository, request.files)}"
        known = None if wish.again else self.store.recall(name)
        if known is not None:
            return _Reading(request, known, cached=True)
        if not wish.again:
            request = self._incremental(wish.key, request)
        answer = self._asked(reader, request)
        if answer.fallback_reason is None:
            # At once: who dies behind this has not asked in vain.
            self.store.remember(name, answer)
        return _Reading(request, answer)

    def _asked(self, reader: Analyst, request: Request) -> Answer:
        answer = reader.analyse(request)
        self.store.count(
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            cost_microusd=round((cost(answer, self.prices) or 0) * 1_000_000),
        )
        return answer

    def _files(self, key: Key, turn: _Turn) -> Files:
        if self.github is None or not turn.asks:
            return None
        try:
            listed = self.github.files(key.repository, key.number)
        except EventRouterError as error:
            if turn.patient and isinstance(error, RateLimitedError):
                raise
            log_error("changed files are not known", error, **_told(key))
            return None
        return None if listed is None else tuple(read_files(listed))

    def _flow(self, pull: Pull) -> Mapping[str, Any] | None:
        names = ("base_sha", "base_branch", "commit_sha", "branch_name")
        try:
            return self.flows(pull["repository_name"], *(pull.get(n) for n in names))
        except Exception as error:  # noqa: BLE001 - it is an addition, no condition
            log_error("the event flow is not known", error, number=pull["pr_number"])
            return None

    def _incremental(self, key: Key, request: Request) -> Request:
        """Return what is asked of a model: what is new, if the rest was read before."""
        before = next(
            (
                one
                for one in self.store.all(key.repository, key.number)
                if one["commit_sha"] != key.sha
                and one["analyst"] == self.analyst.name
                and one["basis"]["files"] is not None
            ),
            None,
        )
        fresh = self._fresh(key, request, before) if before else None
        return replace(request, fresh=fresh, previous=before) if fresh else request

    def _fresh(self, key: Key, request: Request, before: Insight) -> Files:
        if self.github is None:
            return None
        try:
            told = self.github.compare(key.repository, before["commit_sha"], key.sha)
        except EventRouterError as error:
            log_error("commits were not compared", error, **_told(key))
            return None
        listed = (told or {}).get("files")
        # Diverged: what was read before is not there any more.
        if not told or told.get("status") != "ahead" or not isinstance(listed, list):
            return None
        if len(listed) >= _MOST_COMPARED:
            return None
        ours = {file.path for file in request.files or ()}
        # What came with a merge of the base is none of the pull request's.
        return tuple(file for file in read_files(listed) if file.path in ours)

    def _refresh(self, key: Key, pull: Pull, kept: Kept) -> None:
        """Tell what is kept, if that was not done or the event flow is known now."""
        flow = self._flow(pull)
        if flow is not None and flow != kept.insight["flow"]:
            analysis = with_flow(kept.analysis, flow)
            told = {"risk_level": analysis.risk_level, "summary": analysis.summary}
            issues = analysis.to_dict()["issues"]
            insight = {**kept.insight, **told, "issues": issues, "flow": dict(flow)}
            kept = replace(kept, insight=insight, attached=False)
            self.store.save(key, kept)
        if not kept.attached:
            self._tell(key, kept, self._files(key, _Turn(patient=False)))

    def _tell(self, key: Key, kept: Kept, files: Files) -> None:
        # Reading takes a while: another commit may have come.
        if self._wanted(key) is None:
            return
        shown = None if files is None else [file.shown() for file in files]
        self.attach(key.repository, key.number, kept.insight, shown)
        self.store.save(key, replace(kept, attached=True))


def _wish(record: Item) -> _Wish:
    wish = loads(record["body"])
    if not isinstance(wish, dict):
        raise InvalidRequestError("A wish for an insight is an object.")
    repository, number = wish.get("repository"), wish.get("number")
    sha, again = wish.get("sha"), wish.get("again", False)
    if (
        not isinstance(repository, str)
        or repository.count("/") != 1
        or type(number) is not int
        or not (isinstance(sha, str) and _SHA.fullmatch(sha))
        or type(again) is not bool
    ):
        raise InvalidRequestError(
            "A wish for an insight names repository, number and sha, and may say again."
        )
    return _Wish(Key(repository, number, sha), again, record["messageId"])


def _told(key: Key) -> dict[str, Any]:
    return {"repository": key.repository, "number": key.number, "sha": key.sha}


def _is_bot(pull: Pull) -> bool:
    author = str(pull.get("author") or "")
    return author.endswith("[bot]") or pull.get("author_type") == "Bot"
