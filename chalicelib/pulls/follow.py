"""What becomes of deliveries: read, merged, told, and let go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.aws import Item
from chalicelib.pulls import github
from chalicelib.pulls.announce import Announcer
from chalicelib.pulls.deliveries import Deliveries
from chalicelib.pulls.facts import PullFacts, Reading
from chalicelib.pulls.projection import Projection
from chalicelib.pulls.state import PullState
from chalicelib.pulls.store import PullStore
from chalicelib.telemetry import log_error
from chalicelib.wire import UNREADABLE, Placed, placed_of
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.wire import loads

_QUEUE: Final = "pulls"
#: A graph was stored; nobody else can publish under this name.
SCANNED: Final = "eventyard.graph.pushed"


@dataclass(slots=True)
class Follower:
    """
    Does the work of deliveries, from the queue.

    It does what is in its row of open deliveries and nothing else: so each is worked
    on until it is done, duplicates are dropped, and an event that somebody else
    published under GitHub's name is no delivery.
    """

    deliveries: Deliveries
    projection: Projection
    announcer: Announcer
    #: Asks for an analysis of a head commit.
    analyse: Callable[[Item], None]
    #: Finds an event by its place, and brings its payload from where it rests.
    find: Callable[[str], Event | None]
    whole: Callable[[Event], Event]
    bury: Callable[[str, Any, str], None]
    #: The newest that this process knows of each repository.
    _repositories: dict[str, tuple[str, int, str]] = field(default_factory=dict)

    def follow(self, event: Item) -> Item:
        """Work on a batch of the queue; returns Lambda's partial batch response."""
        placed: dict[str, Event | None] = {}
        untold: list[tuple[str, int]] = []
        for record in event["Records"]:
            placed |= self._read(record, untold)
        for one in filter(None, placed.values()):
            if one.type == SCANNED:
                self.scanned(one.payload)
        rows = self.deliveries.open_among(placed)
        done = [
            row for place, row in sorted(rows.items()) if self._do(row, placed[place])
        ]
        if done:
            self.deliveries.finish(done)
        self.announce(untold)
        return {"batchItemFailures": []}

    def _read(
        self, record: Item, untold: list[tuple[str, int]]
    ) -> Mapping[str, Event | None]:
        try:
            body = loads(record["body"])
            if isinstance(body, Mapping) and "tell" in body:
                repository, number = body["tell"]
                untold.append((str(repository), int(number)))
                return {}
            if isinstance(body, Mapping):
                return dict.fromkeys(map(str, body["places"]))
            return {one.place: one.event for one in placed_of(body)}
        except UNREADABLE as e:
            # It would fail the same way every time: aside with it, the others go on.
            log_error("a message cannot be read", e, message_id=record["messageId"])
            self.bury(_QUEUE, record["body"], f"{type(e).__name__}: {e}")
            return {}

    def _do(self, row: Item, event: Event | None) -> bool:
        try:
            self.work(Placed(row["sk"], self._whole(row["sk"], event)))
        except Exception as error:  # noqa: BLE001 - one bad delivery never blocks others
            log_error("a delivery was not followed", error, delivery=row["sk"])
            self.deliveries.fail(row, f"{type(error).__name__}: {error}")
            return False
        return True

    def _whole(self, place: str, event: Event | None) -> Event:
        found = event or self.find(place)
        if found is None:
            raise InvalidRequestError(f"The log holds no event at {place} any more.")
        return self.whole(found)

    def work(self, placed: Placed) -> None:
        """Do what one delivery asks for; doing it again changes nothing."""
        event = placed.event
        kind = event.type.removeprefix(github.TOPIC).partition(".")[0]
        payload = event.payload if isinstance(event.payload, Mapping) else {}
        told = github.read(kind, payload, str(event.attributes.get("digest", "")))
        self._note_repository(told)
        changed: list[tuple[str, int]] = []
        for facts in told.pulls:
            self.take(facts, event.id)
        for check in told.checks:
            numbers = self.projection.check(check, event.id)
            changed += [(check.repository, number) for number in numbers]
        if told.push is not None:
            numbers = self.projection.push(told.push, event.id)
            changed += [(told.push.repository, number) for number in numbers]
        self.announce(changed)

    def _note_repository(self, told: Reading) -> None:
        repository = told.repository
        if repository is None:
            return
        known = self._repositories.get(repository.full_name, ("", 0, ""))
        if repository.stamp[0] > known[0] or not known[0]:
            self.projection.store.put_repository(repository)
            self._repositories[repository.full_name] = repository.stamp

    def take(self, facts: PullFacts, cause: str | None = None) -> PullState:
        """Merge what is told of a pull request, have it analysed, and tell of it."""
        state = self.projection.merge(facts, cause)
        if _is_news(state, facts):
            self.analyse(_wish(state.repository, state.number, str(state.sha)))
        self.announcer.announce(state.repository, state.number)
        return state

    def scanned(self, told: Mapping[str, Any]) -> None:
        """Have pull requests looked at again whose head commit was scanned."""
        project, commit = str(told.get("project")), told.get("commit")
        if not commit:
            return
        store = self.projection.store
        for name in _named(project, store):
            for number in store.at_commit(name, str(commit))[1]:
                self.analyse(_wish(name, number, str(commit)))

    def announce(self, pulls: Iterable[tuple[str, int]]) -> None:
        """Tell of what changed."""
        for repository, number in dict.fromkeys(pulls):
            self.announcer.announce(repository, number)


def _named(project: str, store: PullStore) -> list[str]:
    """Return the repositories that a project of graphs may be of."""
    if "/" in project:
        return [project]
    return [row["sk"] for row in store.repositories() if row["name"] == project]


def _wish(repository: str, number: int, sha: str) -> Item:
    return {"repository": repository, "number": number, "sha": sha, "again": False}


def _is_news(state: PullState, told: PullFacts) -> bool:
    """Tell whether it brought a commit that nobody has analysed."""
    is_head = told.core.get("sha") == state.sha and state.sha is not None
    analysed = (state.insight or {}).get("commit_sha") == state.sha
    # An event of another kind may be the first that is heard of a pull request.
    return state.is_open and is_head and not analysed and bool(told.seen or told.heads)
