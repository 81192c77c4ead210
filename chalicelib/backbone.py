"""The event backbone: events and what is done with the log, soon, later or asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.foundation import Foundation

if TYPE_CHECKING:
    from chalicelib.aws import Item
    from chalicelib.events.agenda import Agenda
    from chalicelib.events.audit import Audit
    from chalicelib.events.causality import Causality
    from chalicelib.events.chores import Chores
    from chalicelib.events.exports import Exports
    from chalicelib.events.jobs import Jobs
    from chalicelib.events.publication import Draft, Published
    from chalicelib.events.purge import Purges
    from chalicelib.events.requests import Requests
    from chalicelib.events.schedule import Schedule
    from chalicelib.events.service import EventService
    from chalicelib.events.streams import Streams
    from chalicelib.sources.service import SourceService
    from eventyard.core.event import Event

    Handlers = dict[str, Callable[[Item], object]]


class Backbone(Foundation):
    """
    What takes events in, and what is done with the log without anybody else.

    Imports stand inside the properties here as well.
    """

    @cached_property
    def events(self) -> EventService:
        """Return the verbs of events."""
        from chalicelib.events.claims import Claims
        from chalicelib.events.service import EventService

        claims = Claims(self.table, self.settings.retention_days)
        return EventService(
            self.log, claims, self._schedule, self._answer, self.schemas.vet
        )

    def _schedule(
        self, drafts: Sequence[Draft], by: str, key: str | None
    ) -> list[Published]:
        # Made when something is scheduled, which most functions never see.
        return self.schedule.accept(drafts, by, key)

    def _answer(self, drafts: Sequence[Draft], by: str) -> list[Published]:
        return self.requests.answer(drafts, by)

    @cached_property
    def requests(self) -> Requests:
        """Return the events that ask, and their answers."""
        from chalicelib.events.requests import Requests

        return Requests(self.table, self.log, self.events.check)

    @cached_property
    def causality(self) -> Causality:
        """Return what tells the path of one event."""
        from chalicelib.events.causality import Causality

        return Causality(self.log, self._causes, self.events.locate)

    @cached_property
    def streams(self) -> Streams:
        """Return the event streams."""
        from chalicelib.events.streams import Streams

        return Streams(self.table, self.log, self.events.claims, self.events.admit)

    @cached_property
    def schedule(self) -> Schedule:
        """Return the events that are to be published later."""
        from chalicelib.events.schedule import Schedule

        return Schedule(self.table, self.events, self.agenda, self.chores.send)

    @cached_property
    def audit(self) -> Audit:
        """Return the audit trail."""
        from chalicelib.events.audit import Audit

        return Audit(self.events)

    @cached_property
    def agenda(self) -> Agenda:
        """Return what is to be done later."""
        from chalicelib.events.agenda import Agenda

        return Agenda(self.table, self._due())

    def _due(self) -> Handlers:
        """Return what each kind of agenda row means; other parts add theirs."""
        # Lambdas, so that nothing is made early.
        return {"scheduled": lambda ref: self.schedule.deliver(ref["key"])}

    @cached_property
    def chores(self) -> Chores:
        """Return the small pieces of work that functions leave to a queue."""
        from chalicelib.events.chores import Chores

        url = self.settings.chores_queue_url
        return Chores(self.aws, url, self._dead, self._chores())

    def _chores(self) -> Handlers:
        """Return what each kind of chore means; likewise."""
        return {
            "agenda": lambda _: self.agenda.tick(),
            "export": self._export,
            "purge": self._purge,
            "scheduled": lambda chore: self.schedule.deliver(chore["key"]),
        }

    # Methods rather than what they name: nothing is made before it is needed.

    def _export(self, chore: Item) -> None:
        self.exports.step(chore)

    def _purge(self, chore: Item) -> None:
        self.purges.step(chore)

    def _leave(self, chore: Item) -> None:
        self.chores.send(chore)

    @cached_property
    def exports(self) -> Exports:
        """Return the exports to files."""
        from chalicelib.events.exports import KEPT_SECONDS, Exports, Files

        jobs = self._long_jobs("export", "exp_", KEPT_SECONDS)
        files = Files(self.aws, self.settings.bucket)
        return Exports(jobs, self.exporter, files, self.audit.tell)

    @cached_property
    def purges(self) -> Purges:
        """Return what deletes old events."""
        from chalicelib.events.purge import KEPT_SECONDS, Purges

        jobs = self._long_jobs("purge", "prg_", KEPT_SECONDS)
        return Purges(jobs, self.log, self.audit.tell)

    def _long_jobs(self, kind: str, prefix: str, kept_seconds: int) -> Jobs:
        from chalicelib.events.jobs import Jobs

        return Jobs(
            self.table, kind, prefix, kept_seconds, self._leave, self.log.now_ms
        )

    @cached_property
    def sources(self) -> SourceService:
        """Return the verbs of those who send webhooks."""
        from chalicelib.sources.service import SourceService
        from chalicelib.sources.store import SourceStore

        return SourceService(SourceStore(self.table), self._take_in, self.audit.tell)

    def _take_in(self, event: Event, by: str, key: str | None) -> Mapping[str, Any]:
        from chalicelib.events.publication import Draft

        draft = Draft(event, own_id=key is None, dated=False)
        (told,) = self.events.publish([draft], by=by, idempotency_key=key)
        return told.to_dict()
