"""The parts of pull requests, each made when it is first touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.aws import Aws, Item
from chalicelib.config import Settings
from chalicelib.pulls.announce import Announcer
from chalicelib.pulls.deliveries import Deliveries
from chalicelib.pulls.projection import Projection
from chalicelib.pulls.store import PullStore
from chalicelib.table import Table
from eventyard.core.event import Event
from eventyard.core.wire import dumps

if TYPE_CHECKING:
    from chalicelib.pulls.follow import Follower
    from chalicelib.pulls.reads import PullReads
    from chalicelib.pulls.receive import Receiver

#: One message names so many places at the most.
_PLACES_A_MESSAGE = 50


@dataclass(frozen=True, slots=True)
class Needs:
    """What pull requests take from the rest of the platform."""

    new_key: Callable[[], str]
    log_item: Callable[[str, Sequence[Event], str], Item]
    find: Callable[[str], Event | None]
    whole: Callable[[Event], Event]
    bury: Callable[[str, Any, str], None]
    #: Tells connections of a change by its place and its text.
    tell: Callable[[str, str], int]


@dataclass
class Pulls:
    """One property for each store and service of pull requests."""

    settings: Settings
    aws: Aws
    table: Table
    needs: Needs

    @cached_property
    def store(self) -> PullStore:
        """Return what is kept of pull requests."""
        return PullStore(self.table)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Return the deliveries of GitHub."""
        return Deliveries(
            self.table, self.needs.new_key, self.needs.log_item, self._send
        )

    def _send(self, places: Sequence[str]) -> None:
        for start in range(0, len(places), _PLACES_A_MESSAGE):
            chunk = list(places[start : start + _PLACES_A_MESSAGE])
            self._enqueue(self.settings.pulls_queue_url, {"places": chunk})

    def analyse(self, wish: Item) -> None:
        """Ask for an analysis of a head commit."""
        self._enqueue(self.settings.insights_queue_url, wish)

    def _enqueue(self, url: str, body: Mapping[str, Any]) -> None:
        self.aws.sqs.send_message(QueueUrl=url, MessageBody=dumps(dict(body)))

    @cached_property
    def receiver(self) -> Receiver:
        """Return what takes deliveries in."""
        from chalicelib.pulls.receive import Receiver

        is_open = self.settings.auth == "open"
        return Receiver(self.deliveries, self.settings.github_secret, is_open)

    @cached_property
    def projection(self) -> Projection:
        """Return what makes states of facts."""
        return Projection(self.store, self.needs.new_key, self.needs.log_item)

    @cached_property
    def announcer(self) -> Announcer:
        """Return what tells connections of changes."""
        return Announcer(self.table, self.store, self.needs.tell)

    @cached_property
    def follower(self) -> Follower:
        """Return what does the work of deliveries."""
        from chalicelib.pulls.follow import Follower

        return Follower(
            self.deliveries,
            self.projection,
            self.announcer,
            self.analyse,
            self.needs.find,
            self.needs.whole,
            self.needs.bury,
        )

    @cached_property
    def reads(self) -> PullReads:
        """Return what is asked of pull requests."""
        from chalicelib.pulls.reads import PullReads

        return PullReads(self.store, self._insights, self.needs.new_key)

    def _insights(self, repository: str, number: int) -> list[dict[str, Any]]:
        return []

    def insight_counts(self) -> dict[str, Any]:
        return {
            "made": 0,
            "cached": 0,
            "fallbacks": 0,
            "tokens_input": 0,
            "tokens_output": 0,
            "cost_usd": 0.0,
        }
