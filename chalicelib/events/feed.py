"""Reading on, again and again: no event twice and none left out, and nothing kept here."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.events.log import Commit, EventLog, time_key
from chalicelib.events.recall import OVERLAP_MS
from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event

#: A gateway takes 10 KB of headers, and an id comes back in one.
ID_LIMIT: Final = 6_144
#: What is kept of a commit's key, and one byte for how many of its events were sent.
_TAG: Final = 6
_ENTRY: Final = _TAG + 1
_ALL: Final = 255
_FORM: Final = re.compile(r"([0-7][0-9A-HJKMNP-TV-Z]{25})(?:\.([A-Za-z0-9_-]*))?")
#: Looking through a long past without finding anything takes so long at least.
_WALK_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 0.5
#: Clocks of those who publish may be so far ahead.
_AHEAD_MS: Final = 60_000

#: Why a walk stops: the answer is full, or the id would be.
_FULL: Final = "full"
_HELD: Final = "held"

Wanted = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Position:
    """
    How far somebody has read: up to a place, and which later commits already.

    Places become visible up to ten seconds late and out of order, so `place` stays
    ten seconds behind; `sent` says, by the tag of a commit, how many of its events
    were sent (or looked at) beyond it.
    """

    place: str
    sent: Mapping[bytes, int] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Position:
        """Read an id that an answer brought, or a place; raises InvalidRequestError."""
        match = _FORM.fullmatch(text) if len(text) <= ID_LIMIT else None
        if match is None:
            raise _not_ours()
        return cls(match[1], _entries(match[2] or ""))

    def write(self) -> str:
        """Write the id."""
        if not self.sent:
            return self.place
        entries = b"".join(tag + bytes([count]) for tag, count in self.sent.items())
        packed = base64.urlsafe_b64encode(entries).rstrip(b"=").decode()
        return f"{self.place}.{packed}"


def _entries(packed: str) -> dict[bytes, int]:
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    except binascii.Error:
        raise _not_ours() from None
    if len(raw) % _ENTRY:
        raise _not_ours()
    starts = range(0, len(raw), _ENTRY)
    return {raw[at : at + _TAG]: raw[at + _TAG] for at in starts}


def _not_ours() -> InvalidRequestError:
    return InvalidRequestError(
        "Last-Event-ID, or cursor, must be one that an answer brought."
    )


def tag_of(key: str) -> bytes:
    """Return what tells a commit apart from others of the same seconds."""
    # The last 48 bits of its ULID: random, but for one.
    return ulid.to_bytes(key)[-_TAG:]


@dataclass(slots=True)
class Answer:
    """What one answer holds as it grows: frames of an id and an event's JSON."""

    place: str
    sent: dict[bytes, int]
    frames: list[tuple[str, str]] = field(default_factory=list)
    #: All before this place is visible to whoever reads now.
    settled: str = ""
    weight: int = 0
    #: The commits that were looked at whole.
    passed: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """Return from where to read on."""
        return Position(self.place, self.sent).write()


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads the log from a position on, and waits at its end for a while."""

    log: EventLog
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    #: The most events in one answer, and what it may weigh as Lambda writes it.
    most_events: int = 500
    most_bytes: int = 4_000_000
    #: So many commits fit into an id.
    most_tags: int = (ID_LIMIT - 27) * 3 // 4 // _ENTRY

    def now(self, wanted: Wanted) -> Position:
        """Return the position at which all that is visible now was sent."""
        now_ms = self.log.now_ms()
        start = time_key(now_ms - OVERLAP_MS)
        sent = {
            tag_of(commit.key): _ALL
            for commit in self.log.forward(start, _end(now_ms))
            if any(wanted(self.log.fetched(event).view()) for event in commit.events)
        }
        if len(sent) > self.most_tags:
            return Position(time_key(now_ms + 1))
        return Position(start, sent)

    def since(self, ms: int) -> Position:
        """Return the position just before a moment; raises InvalidRequestError."""
        if ms > self.log.now_ms() + _AHEAD_MS:
            raise InvalidRequestError("since must not be in the future.")
        return Position(time_key(ms))

    def read(self, position: Position, wanted: Wanted, wait: float) -> Answer:
        """
        Return the next events, those whose view is wanted and that did not expire.

        Waits so many seconds for the first. Raises InvalidRequestError for a position
        that nobody can have reached.
        """
        if ulid.timestamp_ms(position.place) > self.log.now_ms() + _AHEAD_MS:
            raise _not_ours()
        started = self.clock()
        answer = Answer(position.place, dict(position.sent))
        pause = _FIRST_PAUSE
        while True:
            give_up = started + max(wait, _WALK_SECONDS)
            walked = self._walk(answer, wanted, give_up)
            left = started + wait - self.clock()
            if answer.frames or not walked or left <= 0:
                return answer
            self.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _walk(self, answer: Answer, wanted: Wanted, give_up: float) -> bool:
        """Look at what is new; tell whether the end of the log was reached."""
        now_ms = self.log.now_ms()
        answer.settled = time_key(now_ms - OVERLAP_MS)
        tags: set[bytes] = set()
        for commit in self._commits(answer, _end(now_ms), tags):
            stopped = self._take(answer, commit, wanted, _moment(now_ms))
            if stopped == _FULL or self.clock() > give_up:
                return False
            if stopped == _HELD:
                answer.place = max(answer.place, answer.settled)
                return True
        answer.place = max(answer.place, answer.settled)
        answer.sent = {tag: n for tag, n in answer.sent.items() if tag in tags}
        return True

    def _take(
        self, answer: Answer, commit: Commit, wanted: Wanted, now: datetime
    ) -> str | None:
        """Send what is wanted of a commit; tell why, if it stopped on the way."""
        tag = tag_of(commit.key)
        for index, stored in enumerate(commit.events):
            place = ulid.add(commit.key, index)
            if place <= answer.place or index < answer.sent.get(tag, 0):
                continue
            event = self.log.fetched(stored)
            if event.is_expired(now) or not wanted(event.view()):
                continue
            if not self._fits(answer, tag, place):
                # Once it is ten seconds old it needs no room in an id.
                return _FULL if answer.frames else _HELD
            reached = _reached(answer, tag, place, index)
            if not self._add(answer, reached, stored, event):
                return _FULL
        _pass_by(answer, commit)
        return None

    def _fits(self, answer: Answer, tag: bytes, place: str) -> bool:
        new = place >= answer.settled and tag not in answer.sent
        return not new or len(answer.sent) < self.most_tags

    def _commits(self, answer: Answer, end: str, tags: set[bytes]) -> Iterator[Commit]:
        # The commit that a place is in the middle of begins before it.
        start = time_key(ulid.timestamp_ms(answer.place))
        if not answer.passed:
            for commit in self.log.forward(start, end):
                tags.update(_tag_when_new(commit.key, answer.settled))
                yield commit
            return
        # Later looks ask for keys alone, and read what is new.
        keys = sorted(written.key for written in self.log.written(start, end))
        for key in keys:
            tags.update(_tag_when_new(key, answer.settled))
        yield from self.log.read_each(key for key in keys if key not in answer.passed)

    def _add(
        self, answer: Answer, reached: Position, stored: Event, event: Event
    ) -> bool:
        identity, text = reached.write(), event.to_json()
        weight = len(json.dumps(text)) + len(identity)
        if weight > self.most_bytes:  # its payload has to be fetched
            text = stored.to_json()
            weight = len(json.dumps(text)) + len(identity)
        full = (
            len(answer.frames) == self.most_events
            or answer.weight + weight > self.most_bytes
        )
        if full and answer.frames:
            return False
        answer.frames.append((identity, text))
        answer.weight += weight
        answer.place, answer.sent = reached.place, dict(reached.sent)
        return True


def _reached(answer: Answer, tag: bytes, place: str, index: int) -> Position:
    sent = {**answer.sent, tag: index + 1}
    if place < answer.settled:
        del sent[tag]  # the place says it
    return Position(max(answer.place, min(place, answer.settled)), sent)


def _pass_by(answer: Answer, commit: Commit) -> None:
    answer.passed.add(commit.key)
    last = ulid.add(commit.key, len(commit.events) - 1)
    if last < answer.settled:
        answer.sent.pop(tag_of(commit.key), None)
        answer.place = max(answer.place, last)


def _tag_when_new(key: str, settled: str) -> set[bytes]:
    return {tag_of(key)} if key >= settled else set()


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _end(now_ms: int) -> str:
    return time_key(now_ms + 1000)
