"""The parts of subscriptions, each made when it is first touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.aws import Aws, Item
from chalicelib.config import Settings
from chalicelib.subscriptions.courier import Courier, Later
from chalicelib.subscriptions.dispatch import Dispatcher, View
from chalicelib.subscriptions.store import SubscriptionStore
from chalicelib.table import Table
from chalicelib.wire import Placed
from eventyard.core.event import Event

if TYPE_CHECKING:
    from chalicelib.outbound import Guard
    from chalicelib.subscriptions.dead import DeadLetterService
    from chalicelib.subscriptions.delivery import Deliverer, Tally
    from chalicelib.subscriptions.ordered import OrderedGroups
    from chalicelib.subscriptions.rows import Rows
    from chalicelib.subscriptions.service import SubscriptionService
    from chalicelib.subscriptions.targets import Targets
    from chalicelib.subscriptions.throttle import Throttle
    from chalicelib.subscriptions.trace import Tracer
    from chalicelib.subscriptions.walks import Walks
    from chalicelib.subscriptions.work import DeliveryWork


@dataclass(frozen=True, slots=True)
class Needs:
    """What subscriptions are handed of the other capabilities."""

    log_find: Callable[[str], Event | None]
    log_through: Callable[[str, str], Iterable[Any]]
    fetched: Callable[[Event], Event]
    view: View
    locate: Callable[..., Placed]
    places_after: Callable[[str, str], Iterator[str]]
    audit: Callable[..., None]
    bury: Callable[[str, Any, str], None]
    put_off: Later
    chore: Callable[[Item], None]
    publish_again: Callable[[str, str, str, str], None]
    tally: Tally


@dataclass
class Subscribed:
    """One property for each store and service of subscriptions."""

    settings: Settings
    aws: Aws
    table: Table
    needs: Needs

    @cached_property
    def store(self) -> SubscriptionStore:
        """Return the rows of subscriptions."""
        return SubscriptionStore(self.table)

    @cached_property
    def courier(self) -> Courier:
        """Return what sends parcels on their way."""
        return Courier(
            self.aws,
            self.settings.deliveries_queue_url,
            self.settings.urgent_queue_url,
            self.needs.put_off,
        )

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """Return the part of routing that is about subscriptions."""
        return Dispatcher(self.store, self.courier, self.needs.view)

    @cached_property
    def rows(self) -> Rows:
        """Return what became of each event for each subscription."""
        from chalicelib.subscriptions.rows import Rows

        return Rows(self.table, self.settings.retention_days)

    @cached_property
    def throttle(self) -> Throttle:
        """Return the limits that hold across functions."""
        from chalicelib.subscriptions.throttle import Throttle

        return Throttle(self.table)

    @cached_property
    def guard(self) -> Guard:
        """Return what decides which addresses may be called."""
        from chalicelib.outbound import Guard

        return Guard(self.settings.allow_private_hosts)

    @cached_property
    def targets(self) -> Targets:
        """Return what makes attempts."""
        from chalicelib.outbound import Outbound
        from chalicelib.subscriptions.targets import QueueSender, Targets
        from chalicelib.subscriptions.webhook import WebhookSender

        webhooks = WebhookSender(Outbound(self.guard))
        return Targets(webhooks, QueueSender(self.aws), self.needs.fetched)

    @cached_property
    def deliverer(self) -> Deliverer:
        """Return what delivers parcels."""
        from chalicelib.subscriptions.delivery import Deliverer

        return Deliverer(
            self.store,
            self.rows,
            self.courier,
            self.throttle,
            self.targets,
            self.needs.log_find,
            self._disable,
            self.needs.tally,
        )

    def _disable(self, subscription_id: str, reason: str) -> None:
        self.service.disable(subscription_id, reason)

    @cached_property
    def groups(self) -> OrderedGroups:
        """Return what delivers ordered groups."""
        from chalicelib.subscriptions.ordered import OrderedGroups

        return OrderedGroups(
            self.table, self.deliverer, self.needs.places_after, self.needs.view
        )

    @cached_property
    def work(self) -> DeliveryWork:
        """Return the work of the delivery queues."""
        from chalicelib.subscriptions.work import DeliveryWork

        return DeliveryWork(self.deliverer, self.groups, self.courier, self.needs.bury)

    @cached_property
    def walks(self) -> Walks:
        """Return what goes through the log for a subscription."""
        from chalicelib.subscriptions.walks import Walks

        return Walks(
            self.table,
            self.deliverer,
            self.needs.log_through,
            self.needs.view,
            self.needs.chore,
            self._tell,
        )

    @cached_property
    def service(self) -> SubscriptionService:
        """Return the verbs of subscriptions."""
        from chalicelib.subscriptions.service import SubscriptionService

        return SubscriptionService(
            self.store,
            self.rows,
            self.guard,
            self.targets,
            self.walks,
            self._tell,
            self.needs.locate,
            self.settings.target_queues,
            f"eventyard-{self.settings.stage}-",
        )

    @cached_property
    def dead_letters(self) -> DeadLetterService:
        """Return the verbs of dead letters."""
        from chalicelib.subscriptions.dead import DeadLetterService

        return DeadLetterService(
            self.store,
            self.rows,
            self.courier,
            self._tell,
            self.needs.locate,
            self.needs.publish_again,
        )

    @cached_property
    def tracer(self) -> Tracer:
        """Return what tells why an event was delivered, or was not."""
        from chalicelib.subscriptions.trace import Tracer

        return Tracer(self.store, self.rows, self.needs.view)

    def _tell(self, change: str, by: Any, details: Mapping[str, Any]) -> None:
        self.needs.audit(change, by, details)
