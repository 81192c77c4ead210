"""What the platform's services stand on: clients, the table, keys, the log, queues."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib import config
from chalicelib.auth import Gatekeeper, Principal
from chalicelib.aws import Aws
from chalicelib.table import Table

if TYPE_CHECKING:
    from chalicelib.events.causes import Causes
    from chalicelib.events.export import Exporter
    from chalicelib.events.feed import Feed
    from chalicelib.events.groups import GroupIndex
    from chalicelib.events.log import EventLog
    from chalicelib.events.marks import Marks
    from chalicelib.events.queues import DeadLetters, QueuePair, QueueService
    from chalicelib.events.relay import Relay
    from chalicelib.events.reports import Reports
    from chalicelib.events.schemas import SchemaService
    from chalicelib.events.stragglers import Stragglers
    from chalicelib.graphs.counting import TrafficCounter
    from chalicelib.graphs.traffic import Traffic
    from chalicelib.keys import KeyStore
    from chalicelib.live.delivery import Delivery
    from chalicelib.live.gateway import Gateway
    from chalicelib.live.store import ConnectionStore
    from chalicelib.positions import PositionStore
    from chalicelib.tickets import TicketStore
    from chalicelib.tokens import TokenReader


class Foundation:
    """
    One lazily made object for each client and store that several services share.

    A trigger pays, in imports and clients, only for what it uses: so imports stand
    inside the properties.
    """

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings

    @cached_property
    def aws(self) -> Aws:
        """Return the AWS clients."""
        return Aws()

    @cached_property
    def table(self) -> Table:
        """Return the one table."""
        return Table(self.aws, self.settings.table)

    @cached_property
    def keys(self) -> KeyStore:
        """Return the API keys."""
        from chalicelib.keys import KeyStore

        return KeyStore(self.table)

    @cached_property
    def tickets(self) -> TicketStore:
        """Return the tickets that open one live connection each."""
        from chalicelib.tickets import TicketStore

        return TicketStore(self.table)

    @cached_property
    def positions(self) -> PositionStore:
        """Return the places that clients keep."""
        from chalicelib.positions import PositionStore

        return PositionStore(self.table)

    @cached_property
    def tokens(self) -> TokenReader:
        """Return what reads JSON Web Tokens."""
        from chalicelib.tokens import IssuerKeys, TokenReader

        jwt = self.settings.jwt
        return TokenReader(jwt, IssuerKeys(jwt.jwks_url if jwt else ""))

    @cached_property
    def gatekeeper(self) -> Gatekeeper:
        """Return what tells who is calling."""
        return Gatekeeper(
            self.settings.auth,
            self.keys.read,
            self._read_token,
            self._take_ticket,
        )

    # Named here, so that neither is made before somebody shows one.
    def _read_token(self, token: str) -> Principal:
        return self.tokens.read(token)

    def _take_ticket(self, ticket: str) -> Principal:
        return self.tickets.take(ticket)

    @cached_property
    def log(self) -> EventLog:
        """Return the log of commits."""
        from chalicelib.events.blobs import Blobs
        from chalicelib.events.log import EventLog

        return EventLog(
            self.table,
            Blobs(self.aws, self.settings.bucket),
            self.settings.log_shards,
            self.settings.retention_days,
        )

    @cached_property
    def _queue_pairs(self) -> dict[str, QueuePair]:
        from chalicelib.events.queues import QueuePair

        settings = self.settings
        return {
            "relay": QueuePair(None, settings.relay_dead_url),
            "routing": QueuePair(settings.routing_queue_url, settings.routing_dead_url),
            "live": QueuePair(settings.live_queue_url, settings.live_dead_url),
            "deliveries": QueuePair(
                settings.deliveries_queue_url, settings.deliveries_dead_url
            ),
            "urgent": QueuePair(settings.urgent_queue_url, settings.urgent_dead_url),
            "chores": QueuePair(settings.chores_queue_url, settings.chores_dead_url),
            "pulls": QueuePair(settings.pulls_queue_url, settings.pulls_dead_url),
            "insights": QueuePair(
                settings.insights_queue_url, settings.insights_dead_url
            ),
            "jobs": QueuePair(settings.jobs_queue_url, settings.jobs_dead_url),
            "scraping": QueuePair(
                settings.scraping_queue_url, settings.scraping_dead_url
            ),
        }

    @cached_property
    def _dead(self) -> DeadLetters:
        from chalicelib.events.queues import DeadLetters

        return DeadLetters(self.aws, self._queue_pairs)

    @cached_property
    def _groups(self) -> GroupIndex:
        from chalicelib.events.groups import GroupIndex

        return GroupIndex(self.log)

    @cached_property
    def _marks(self) -> Marks:
        from chalicelib.events.marks import Marks

        return Marks(self.table)

    @cached_property
    def _stragglers(self) -> Stragglers:
        from chalicelib.events.stragglers import Stragglers

        return Stragglers(self.table)

    @cached_property
    def _causes(self) -> Causes:
        from chalicelib.events.causes import Causes

        return Causes(self.table, self.settings.retention_days)

    @cached_property
    def reports(self) -> Reports:
        """Return what processes told of themselves."""
        from chalicelib.events.reports import Reports

        return Reports(self.table)

    @cached_property
    def tally(self) -> TrafficCounter:
        """Return what counts the traffic."""
        from chalicelib.graphs.counting import TrafficCounter

        return TrafficCounter(self.table)

    @cached_property
    def traffic(self) -> Traffic:
        """Return the counted traffic."""
        from chalicelib.graphs.traffic import Traffic

        return Traffic(self.table)

    @cached_property
    def feed(self) -> Feed:
        """Return what reads on from where somebody stopped."""
        from chalicelib.events.feed import Feed

        return Feed(self.log)

    @cached_property
    def schemas(self) -> SchemaService:
        """Return the schemas of topics."""
        from chalicelib.events.schemas import SchemaService, SchemaStore

        return SchemaService(SchemaStore(self.table))

    @cached_property
    def exporter(self) -> Exporter:
        """Return what reads the log out, page by page."""
        from chalicelib.events.export import Exporter

        return Exporter(self.log)

    @cached_property
    def queues(self) -> QueueService:
        """Return what an operator does with queues and their dead letters."""
        from chalicelib.events.queues import QueueService

        retry = {"relay": self.relay.retry}
        return QueueService(self.aws, self._queue_pairs, retry)

    @cached_property
    def relay(self) -> Relay:
        """Return what carries commits from the log to the topic."""
        from chalicelib.events.relay import Relay
        from chalicelib.events.topic import Topic

        topic = Topic(self.aws, self.settings.topic_arn)
        return Relay(topic, self.log, self._dead, self._groups.note)

    @cached_property
    def connections(self) -> ConnectionStore:
        """Return the rows of live connections."""
        from chalicelib.live.store import ConnectionStore

        return ConnectionStore(self.table)

    @cached_property
    def gateway(self) -> Gateway:
        """Return what posts to connections."""
        from chalicelib.live.gateway import HttpGateway

        return HttpGateway(self.aws, self.settings.live_endpoint)

    @cached_property
    def _delivery(self) -> Delivery:
        from chalicelib.live.delivery import Delivery

        return Delivery(
            self.aws,
            self.gateway,
            self.connections,
            self.table,
            self.settings.live_queue_url,
            self.tally,
        )
