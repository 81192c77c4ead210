"""Who builds what: one lazily made object for each client, store and service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from chalicelib import config, health, wire
from chalicelib.auth import require_topics
from chalicelib.backbone import Backbone
from eventyard.core.errors import NotFoundError
from eventyard.version import VERSION

if TYPE_CHECKING:
    from chalicelib.aws import Item
    from chalicelib.backbone import Handlers
    from chalicelib.circles.parts import Circles
    from chalicelib.events.routing import Router
    from chalicelib.graphs.parts import Graphs
    from chalicelib.graphs.store import Version
    from chalicelib.jobs.parts import Jobs
    from chalicelib.live.service import LiveService
    from chalicelib.live.store import Connection
    from chalicelib.live.watching import Watching
    from chalicelib.memories.parts import Memories
    from chalicelib.pulls.parts import Pulls
    from chalicelib.subscriptions.parts import Subscribed
    from chalicelib.wire import Placed
    from eventyard.core.event import Event

PUBLISH: Final = "events:publish"
#: Dead letters of subscriptions are counted up to here: more is much in any case.
_COUNTED: Final = 100


class Platform(Backbone):
    """
    Everything a function may need, made when it is first touched.

    A trigger pays, in imports and clients, only for what it uses: so imports stand
    inside the properties.
    """

    def _due(self) -> Handlers:
        return {
            **super()._due(),
            "delivery": self._send_on,
            "job": self._job_due,
            "memories": self._memories_due,
        }

    def _chores(self) -> Handlers:
        return {
            **super()._chores(),
            "walk": self._walk,
            "memories": self._compact,
        }

    @cached_property
    def router(self) -> Router:
        """Return what hands events to whoever wants them."""
        from chalicelib.events.routing import Router
        from chalicelib.live import store as live
        from chalicelib.subscriptions import store as subscriptions

        return Router(
            self.table,
            self._marks,
            self._dead,
            self.subscribed.dispatcher.offer,
            self.live.offer,
            (subscriptions.VERSION_KEY, live.VERSION_KEY),
            self._beside,
            self.tally,
        )

    def _beside(self, events: Iterable[Placed]) -> list[Item]:
        """Return the rows that are written as events are routed."""
        placed = list(events)
        return [*self._causes.rows(placed), *self.reports.rows(placed)]

    @cached_property
    def subscribed(self) -> Subscribed:
        """Return everything about subscriptions and their deliveries."""
        from chalicelib.subscriptions.parts import Needs, Subscribed

        return Subscribed(
            self.settings,
            self.aws,
            self.table,
            Needs(
                log_find=self.log.find,
                log_through=self.log.through,
                fetched=self.log.fetched,
                view=self._view,
                locate=self.events.locate,
                places_after=self._groups.after,
                audit=self.audit.tell,
                bury=self._dead.bury,
                put_off=self._put_off,
                chore=self._leave,
                publish_again=self._publish_again,
                tally=self.tally,
            ),
        )

    def _publish_again(self, place: str, handler: str, key: str, by: str) -> None:
        from chalicelib.events.publication import again_for

        event = self.log.find(place)
        if event is None:
            raise NotFoundError("Its event's retention has ended.")
        draft = again_for(self.log.whole(event), handler)
        # Schemas that came since are no reason to keep it from who had it before.
        self.events.publish([draft], by=by, idempotency_key=key, vetted=True)

    @cached_property
    def graphs(self) -> Graphs:
        """Return everything about event-flow graphs."""
        from chalicelib.graphs.parts import Graphs

        return Graphs(self.settings, self.aws, self.table, self.audit.tell)

    @cached_property
    def pulls(self) -> Pulls:
        """Return everything about pull requests."""
        from chalicelib.pulls.parts import Needs, Pulls

        return Pulls(
            self.settings,
            self.aws,
            self.table,
            Needs(
                new_key=self.log.new_key,
                log_item=self.log.item,
                find=self.log.find,
                whole=self.log.whole,
                bury=self._dead.bury,
                tell=self._tell_pull,
                flows=self._flows,
            ),
        )

    @cached_property
    def jobs(self) -> Jobs:
        """Return everything about job services."""
        from chalicelib.jobs.parts import Jobs, Needs

        return Jobs(
            self.settings,
            self.aws,
            self.table,
            Needs(
                new_key=self.log.new_key,
                log_item=self.log.item,
                put_blob=self.log.blobs.put,
                get_blob=self.log.blobs.get,
                later=self._row_for_later,
                bury=self._dead.bury,
            ),
        )

    @cached_property
    def circles(self) -> Circles:
        """Return everything about circles of agents."""
        from chalicelib.circles.parts import Circles

        return Circles(
            self.table, self.log.new_key, self.log.item, self.settings.retention_days
        )

    @cached_property
    def memories(self) -> Memories:
        """Return everything about memories of agents, and knowledge."""
        from chalicelib.memories.parts import Memories, Needs

        return Memories(
            self.settings,
            self.aws,
            self.table,
            Needs(
                new_key=self.log.new_key,
                log_item=self.log.item,
                later=self._remind,
                leave=self._leave,
                circles_of=self._circles_of,
                projects_of=self._projects_of,
            ),
        )

    # Methods rather than what they name: nothing is made before it is needed.

    def _circles_of(self, agent_id: int | str) -> tuple[int, ...]:
        return self.circles.service.circles_of(agent_id)

    def _projects_of(self, agent_id: int | str) -> tuple[int | str, ...]:
        return self.circles.service.projects_of(agent_id)

    def _remind(self, kind: str, name: str, at_ms: int, ref: Item) -> None:
        self.agenda.add(kind, name, at_ms, ref)

    def _memories_due(self, ref: Item) -> None:
        self.memories.due(ref)

    def _compact(self, chore: Item) -> None:
        self.memories.compactor.run(chore)

    def _put_off(self, name: str, at_ms: int, ref: Item) -> None:
        self.agenda.add("delivery", name, at_ms, ref)

    def _send_on(self, ref: Item) -> None:
        self.subscribed.work.put_off_until_now(ref)

    def _row_for_later(self, kind: str, name: str, at_ms: int, ref: Item) -> Item:
        return self.agenda.row(kind, name, at_ms, ref)

    def _job_due(self, ref: Item) -> None:
        self.jobs.repairs.due(ref)

    def _walk(self, chore: Item) -> None:
        self.subscribed.walks.step(chore)

    @cached_property
    def watching(self) -> Watching:
        """Return what tells connections of pull requests, in their order."""
        from chalicelib.live.resume import Resumer
        from chalicelib.live.watching import Watching

        resumer = Resumer(self._read_again, self.log.now_ms)
        return Watching(self.connections, self._delivery, resumer, self._show_pull)

    def _flows(self, *sides: Any) -> Mapping[str, Any] | None:
        from chalicelib.pulls.flow import FlowFinder, Scan

        flow = self.graphs.service.flow

        def scan(version: Version) -> Scan:
            project, ref = version.place.project, version.place.ref
            return Scan(
                project, ref, version.number, version.commit, lambda: flow(version)
            )

        scans = self.graphs.scans
        return FlowFinder(
            lambda: map(scan, scans.heads()),
            lambda project, ref: map(scan, scans.history(project, ref)),
        ).find(*sides)

    def _tell_pull(self, place: str, text: str) -> int:
        return self.watching.tell(place, text)

    def _show_pull(self, connection: Connection, version: int, changed: Placed) -> None:
        told = changed.event.payload
        self.pulls.announcer.tell_newest(
            (told["repository_name"], told["pr_number"]),
            version,
            lambda place, text: self.watching.tell_one(connection, place, text),
        )

    @cached_property
    def live(self) -> LiveService:
        """Return the verbs of live connections."""
        from chalicelib.live.conversation import Conversation
        from chalicelib.live.resume import Resumer
        from chalicelib.live.service import LiveService

        resumer = Resumer(self._read_after, self.log.now_ms)
        conversation = Conversation(
            self.connections, resumer, self._publish_for, self.health, self._view
        )
        return LiveService(
            self.connections,
            self._delivery,
            resumer,
            conversation,
            self._stragglers,
            self.watching,
            self.gatekeeper,
            self.settings.max_clients,
        )

    def _read_after(
        self, cursor: str, until: str, read_ms: int | None
    ) -> Iterator[Placed]:
        from chalicelib.events.recall import Recall

        recall = Recall(self.log, self._marks, self._stragglers)
        return recall.read_after(cursor, until, read_ms)

    def _read_again(self, cursor: str, until: str, _: int | None) -> Iterator[Placed]:
        from chalicelib.events.recall import read_again

        return read_again(self.log, cursor, until)

    def _view(self, event: Event) -> Mapping[str, Any]:
        return self.log.fetched(event).view()

    def _publish_for(
        self, connection: Connection, events: list[Any], key: Any
    ) -> list[dict[str, Any]]:
        from chalicelib.events.drafts import check_idempotency_key, drafts_of

        drafts = drafts_of(events)
        check_idempotency_key(key)
        topics = [draft.event.type for draft in drafts]
        require_topics(PUBLISH, connection.may_publish, topics)
        told = self.events.publish(drafts, by=connection.client_id, idempotency_key=key)
        return [one.to_dict() for one in told]

    def health(self) -> dict[str, Any]:
        """Check what the platform stands on."""
        return health.check(
            {
                "transport": lambda: health.transport(
                    self.aws, self.settings.topic_arn, self.relay.stalled_ms
                ),
                "persistence": lambda: health.persistence(self.table),
                "queue": lambda: health.queues(self.queues.all),
            }
        )

    def stats(self) -> dict[str, Any]:
        """Count what was published and delivered, and what is on its way."""
        return health.statistics(
            self.live.stats(),
            self.queues.all(),
            self.relay.progress(),
            self.subscribed.rows.count_dead(_COUNTED),
        )

    def public_config(self) -> dict[str, Any]:
        """Return what pages and clients need to know before they know anything."""
        return {
            "version": VERSION,
            "stage": self.settings.stage,
            "auth": self.settings.auth,
            "live_url": self.settings.live_url,
            "wire": {"lowest": wire.LOWEST, "highest": wire.HIGHEST},
        }

    def sweep(self) -> dict[str, int]:
        """Repair what was left undone; the minute schedule calls it."""
        # The gone leave although SNS refuses: one repair never waits for the other.
        gone = self.live.sweep()
        done = self.agenda.tick()
        self.traffic.roll_up()
        taken = self.pulls.deliveries.take_up()
        died = self.jobs.repairs.sweep()
        relayed = self.relay.catch_up()
        # Last, because it waits for others: all that is our own is repaired by then.
        self.pulls.reconciler.tick()
        return {
            "relayed": relayed,
            "gone": gone,
            "done": done,
            "taken_up": taken,
            "died": died,
        }


@lru_cache(maxsize=1)
def platform() -> Platform:
    """Return this process's platform."""
    return Platform(config.from_environment())
