"""From the log to SNS: at once by the table's stream, for certain by the sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib._values import unmarshal
from chalicelib.aws import Item
from chalicelib.events.claims import ABANDONED_SECONDS, CALL_SECONDS
from chalicelib.events.log import (
    UNCHECKED_MS,
    Commit,
    EventLog,
    Written,
    bucket_of,
    time_key,
)
from chalicelib.events.messages import Message, messages_of
from chalicelib.events.queues import DeadLetters
from chalicelib.events.topic import Topic
from chalicelib.telemetry import CONSUMER, Stage, count, log_error, observe, stage
from chalicelib.telemetry import log as log_line
from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, NotFoundError, UnavailableError
from eventyard.core.event import Event

#: How long the stream has before the sweep steps in for it.
GRACE_MS: Final = 10_000
#: A retry may write under the key of a call that died so long ago: only what is older
#: can hold nothing new, so the checkpoint stays behind it.
SETTLE_MS: Final = int(ABANDONED_SECONDS + CALL_SECONDS) * 1000 + GRACE_MS
#: How much of the log one tick of the sweep looks through.
_TICK_MS: Final = 12 * 3_600_000
_MINUTE_MS: Final = 60_000
_RECEIPT_SECONDS: Final = 7 * 86_400
_DEAD_QUEUE: Final = "relay"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many events were ever published, and how long the oldest waits for SNS."""

    published: int
    lag_ms: int


@dataclass(slots=True)
class Relay:
    """
    Publishes commits to the topic and keeps receipts for those that went out.

    A commit without a receipt is relayed again; whoever consumes is idempotent.
    """

    topic: Topic
    log: EventLog
    dead: DeadLetters
    #: Notes what must be known of commits before anybody hears of them.
    note: Callable[[Sequence[Commit]], None]

    def relay_stream(self, event: Item) -> Item:
        """
        Relay a batch of the table's stream.

        Returns Lambda's partial batch response. A record that cannot be read waits
        in the dead letters with its reason; only what may go better next time is
        reported as failed.
        """
        commits: list[Commit] = []
        numbers: dict[str, str] = {}
        for record in event["Records"]:
            image = unmarshal(record["dynamodb"]["NewImage"])
            commit = self._decode(image)
            if commit is not None:
                commits.append(commit)
                numbers[commit.key] = record["dynamodb"]["SequenceNumber"]
        failed = self.relay(commits)
        return {
            "batchItemFailures": [{"itemIdentifier": numbers[key]} for key in failed]
        }

    def _decode(self, item: Item) -> Commit | None:
        try:
            return self.log.decode(item)
        except (ValueError, KeyError, TypeError, EventRouterError) as error:
            log_error("a commit cannot be read", error, commit=item.get("sk"))
            self.bury(str(item["pk"]), str(item["sk"]), error)
            return None

    def bury(self, pk: str, sk: str, error: Exception) -> None:
        """Put a commit into the dead letters and stop trying it."""
        reason = f"{type(error).__name__}: {error}"
        self.dead.bury(_DEAD_QUEUE, {"commit": {"pk": pk, "sk": sk}}, reason)
        # Whatever put it there: a key that is no ULID has no minute to be noted in.
        self._write_receipts([sk] if ulid.is_ulid(sk) else [])

    def relay(self, commits: Iterable[Commit]) -> list[str]:
        """Publish commits, write their receipts, return the keys of those that failed."""
        owners: dict[str, str] = {}
        messages: list[Message] = []
        commits = list(commits)
        self.note(commits)
        unsent: set[str] = set()
        refused: dict[str, Exception] = {}
        with stage("relay", CONSUMER, _events(commits)) as relaying:
            for commit in commits:
                for message in messages_of(_passed(commit, relaying)):
                    messages.append(message)
                    owners[message.name] = commit.key
            for name, refusal in self.topic.publish(messages):
                if refusal is None:
                    unsent.add(owners[name])
                else:
                    refused[owners[name]] = refusal
        for key in refused.keys() - unsent:
            self.bury(self.log.partition(key), key, refused[key])
        keys = list(dict.fromkeys(owners.values()))
        self._write_receipts([k for k in keys if k not in unsent and k not in refused])
        self._measure([one for one in commits if one.key not in unsent])
        return [key for key in keys if key in unsent]

    def _measure(self, relayed: Sequence[Commit]) -> None:
        now = self.log.now_ms()
        count("EventsRelayed", sum(len(commit.events) for commit in relayed))
        for commit in relayed:
            observe("RelayLag", max(now - ulid.timestamp_ms(commit.key), 0))

    def _write_receipts(self, keys: list[str]) -> None:
        minutes: dict[int, list[str]] = {}
        for key in keys:
            minutes.setdefault(_minute_of(key), []).append(key)
        now = int(self.log.clock())
        receipts = [
            {
                "pk": f"relayed#{minute}",
                "sk": ulid.new_ulid(),
                "commits": members,
                "ttl": now + _RECEIPT_SECONDS,
            }
            for minute, members in minutes.items()
        ]
        if len(receipts) == 1:
            self.log.table.put(receipts[0])
        elif receipts:
            self.log.table.put_many(receipts)

    def retry(self, body: Item) -> None:
        """Relay the commit of a dead letter again, once its cause is mended."""
        if "commit" not in body:
            # AWS's own note of a stream batch that it gave up: it names no commits,
            # and the sweep has relayed those.
            return
        pk, sk = body["commit"]["pk"], body["commit"]["sk"]
        item = self.log.table.get(pk, sk)
        if item is None:
            raise NotFoundError(f"The commit {sk} is no longer in the log.")
        if self.relay([self.log.decode(item)]):
            raise UnavailableError("SNS refused the commit; try again.")

    def catch_up(self) -> int:
        """
        Relay what the stream left, and move the checkpoint; one tick of the sweep.

        Returns how many commits were relayed. Up to the checkpoint every commit has
        a receipt, is counted, and its bucket is in the directory.
        """
        checkpoint = self._checkpoint()
        start = checkpoint["until_ms"]
        end = min(self.log.now_ms() - GRACE_MS, start + _TICK_MS)
        if end <= start:
            return 0
        # The bounds are whole milliseconds: nothing falls between two ticks.
        written = list(self.log.written(time_key(start), time_key(end)))
        missing = self._without_receipt(written)
        self._relay_again(missing)
        self.log.directory.record({_bucket(commit.key) for commit in written})
        self._advance(checkpoint, min(end, self.log.now_ms() - SETTLE_MS), written)
        return len(missing)

    def _checkpoint(self) -> Item:
        found = self.log.directory.checkpoint()
        if found is None:
            found = self._first()
            self.log.table.put_new(found)
        return found

    def _first(self) -> Item:
        pk, sk = self.log.directory.key
        start = self.log.now_ms() - UNCHECKED_MS
        return {"pk": pk, "sk": sk, "until_ms": start, "events": 0, "commits": 0}

    def _without_receipt(self, written: list[Written]) -> list[str]:
        minutes = {_minute_of(commit.key) for commit in written}
        relayed = {key for minute in minutes for key in self._receipts(minute)}
        return [commit.key for commit in written if commit.key not in relayed]

    def _receipts(self, minute: int) -> Iterator[str]:
        for receipt in self.log.table.query(f"relayed#{minute}", fields=("commits",)):
            yield from receipt["commits"]

    def _relay_again(self, keys: list[str]) -> None:
        for key in keys:
            item = self.log.table.get(self.log.partition(key), key)
            commit = self._decode(item) if item else None
            if commit is not None and self.relay([commit]):
                raise RelayStopped(f"{key} was not published; the next tick tries")
        if keys:
            log_line("relayed what the stream had left", commits=len(keys))

    def _advance(self, checkpoint: Item, end: int, written: list[Written]) -> None:
        if end <= checkpoint["until_ms"]:
            return
        pk, sk = self.log.directory.key
        behind = [commit for commit in written if commit.key < time_key(end)]
        self.log.table.set(
            pk,
            sk,
            {
                "until_ms": end,
                "events": checkpoint["events"] + sum(c.events for c in behind),
                "commits": checkpoint["commits"] + len(behind),
            },
            # Two sweeps at once: the second one's count would be the first's again.
            only_if={"until_ms": checkpoint["until_ms"]},
        )

    def progress(self) -> Progress:
        """Tell what was published and relayed: counted, not estimated."""
        checkpoint = self.log.directory.checkpoint() or self._first()
        now = self.log.now_ms()
        after, ahead = time_key(checkpoint["until_ms"]), time_key(now + 1000)
        recent = list(self.log.written(after, ahead))
        waiting = self._without_receipt(recent)
        return Progress(
            published=checkpoint["events"] + sum(commit.events for commit in recent),
            lag_ms=max(now - ulid.timestamp_ms(waiting[0]), 0) if waiting else 0,
        )

    def stalled_ms(self) -> int:
        """Return how long the sweep has not moved; 0 before its first tick."""
        checkpoint = self.log.directory.checkpoint()
        if checkpoint is None:
            return 0
        return max(self.log.now_ms() - int(checkpoint["until_ms"]) - SETTLE_MS, 0)


class RelayStopped(Exception):  # noqa: N818 - a state of the relay, said as one
    """SNS refused a commit: the checkpoint must not move past it."""


def _events(commits: Iterable[Commit]) -> Iterator[Event]:
    for commit in commits:
        yield from commit.events


def _passed(commit: Commit, relaying: Stage) -> Commit:
    if relaying.is_silent:
        return commit
    return Commit(commit.key, tuple(map(relaying.traced, commit.events)))


def _minute_of(key: str) -> int:
    return ulid.timestamp_ms(key) // _MINUTE_MS


def _bucket(key: str) -> int:
    return bucket_of(ulid.timestamp_ms(key))
