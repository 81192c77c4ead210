"""The parts of pull requests, each made when it is first touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

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
    from chalicelib.outbound import Outbound
    from chalicelib.pulls.analyst import Analyst, Model
    from chalicelib.pulls.follow import Follower
    from chalicelib.pulls.github_api import GitHubApi
    from chalicelib.pulls.insight_store import InsightStore
    from chalicelib.pulls.insights import InsightService
    from chalicelib.pulls.reads import PullReads
    from chalicelib.pulls.receive import Receiver
    from chalicelib.pulls.reconcile import Reconciler

#: One message names so many places at the most.
_PLACES_A_MESSAGE: Final = 50
_WAITING: Final = "ApproximateNumberOfMessages"


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
    #: Tells how the flow of events changes between two commits, if both were scanned.
    flows: Callable[..., Mapping[str, Any] | None]


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
            self.table,
            self.needs.new_key,
            self.needs.log_item,
            self._send,
            self._backlog,
        )

    def _send(self, places: Sequence[str]) -> None:
        for start in range(0, len(places), _PLACES_A_MESSAGE):
            chunk = list(places[start : start + _PLACES_A_MESSAGE])
            self._enqueue(self.settings.pulls_queue_url, {"places": chunk})

    def _backlog(self) -> int:
        found = self.aws.sqs.get_queue_attributes(
            QueueUrl=self.settings.pulls_queue_url, AttributeNames=[_WAITING]
        )
        return int(found["Attributes"][_WAITING])

    def analyse(self, wish: Item) -> None:
        """Ask for an analysis of a head commit."""
        self._enqueue(self.settings.insights_queue_url, wish)

    def _tell_later(self, repository: str, number: int, seconds: int) -> None:
        body = {"tell": [repository, number]}
        self._enqueue(self.settings.pulls_queue_url, body, seconds)

    def _enqueue(self, url: str, body: Mapping[str, Any], seconds: int = 0) -> None:
        self.aws.sqs.send_message(
            QueueUrl=url, MessageBody=dumps(dict(body)), DelaySeconds=seconds
        )

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
        return Announcer(self.table, self.store, self.needs.tell, self._tell_later)

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

        return PullReads(self.store, self.insight_store.all, self.needs.new_key)

    @cached_property
    def insight_store(self) -> InsightStore:
        """Return what was said of commits."""
        from chalicelib.pulls.insight_store import InsightStore

        return InsightStore(self.table)

    @cached_property
    def github(self) -> GitHubApi | None:
        """Return GitHub's interface; None without a token."""
        from chalicelib.pulls.github_api import GitHubApi

        told = self.settings.insights
        if not told.github_token:
            return None
        return GitHubApi(self._outbound, told.github_api, told.github_token)

    @cached_property
    def _outbound(self) -> Outbound:
        from chalicelib.outbound import Guard, Outbound

        # What an operator names may be private; what others name may not.
        named = (self.settings.allow_private_hosts, *self.settings.insights.hosts)
        return Outbound(Guard(",".join(filter(None, named))))

    @cached_property
    def insights(self) -> InsightService:
        """Return what has pull requests read."""
        from chalicelib.pulls.insights import InsightService
        from chalicelib.pulls.offline import OfflineAnalyst

        return InsightService(
            self.insight_store,
            self.github,
            self._analyst(),
            OfflineAnalyst(),
            self.needs.flows,
            self.reads.current,
            self.attach,
            self.needs.bury,
            self.settings.insights.prices,
        )

    @cached_property
    def reconciler(self) -> Reconciler:
        """Return what asks GitHub for what did not arrive."""
        from chalicelib.pulls.reconcile import Reconciler

        return Reconciler(
            self.github,
            self.table,
            lambda: [str(row["sk"]) for row in self.store.repositories()],
            lambda repository: self.store.numbers(repository)[0],
            self._take,
        )

    def _take(self, repository: str, told: Mapping[str, Any]) -> None:
        from chalicelib.pulls import github

        facts = github.snapshot(repository, told)
        if facts is not None:
            self.follower.take(facts)

    def _analyst(self) -> Analyst:
        from chalicelib.pulls.analyst import Fallback, ModelAnalyst
        from chalicelib.pulls.offline import OfflineAnalyst

        model = self._model()
        if model is None:
            return OfflineAnalyst()
        asked = ModelAnalyst(model, self.settings.insights.tokens)
        return Fallback(asked, OfflineAnalyst())

    def _model(self) -> Model | None:
        told = self.settings.insights
        match told.provider:
            case "gemini":
                from chalicelib.pulls.gemini import Gemini

                key = told.gemini_key
                return Gemini(self._outbound, told.gemini_url, told.gemini_model, key)
            case "bedrock":
                from chalicelib.pulls.analyst import CALL_S
                from chalicelib.pulls.bedrock import Bedrock

                def make() -> Any:
                    return self.aws.bedrock(told.bedrock_url, CALL_S)

                return Bedrock(make, told.bedrock_model)
        return None

    def attach(
        self,
        repository: str,
        number: int,
        insight: Mapping[str, Any],
        files: list[dict[str, Any]] | None,
    ) -> None:
        """Put an insight, and the files where they are known, into the state."""
        from chalicelib.pulls.facts import Moment, PullFacts

        names = None
        if files is not None:
            self.store.put_files(repository, number, str(insight["commit_sha"]), files)
            names = tuple(str(file["filename"]) for file in files)
        told = f"read it: {insight['risk_level']} risk"
        who, sha = str(insight["analyst"]), str(insight["commit_sha"])
        line = Moment(str(insight["created_at"]), "insight", who, told, sha)
        facts = PullFacts(
            repository, number, moments=(line,), insight=insight, files=names
        )
        self.projection.merge(facts)
        self.announcer.announce(repository, number)

    def insight_counts(self) -> dict[str, Any]:
        """Return what insights took, all in all."""
        counted = self.insight_store.counted()
        return {
            "made": counted["made"],
            "cached": counted["cached"],
            "fallbacks": counted["fallbacks"],
            "tokens_input": counted["tokens_in"],
            "tokens_output": counted["tokens_out"],
            "cost_usd": round(counted["cost_microusd"] / 1_000_000, 6),
        }
