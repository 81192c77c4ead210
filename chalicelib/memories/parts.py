"""The parts of memories, each made when it is first touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chalicelib.aws import Aws, Item
from chalicelib.config import Settings
from chalicelib.memories.access import Access, Members
from chalicelib.memories.files import SegmentFiles
from chalicelib.memories.search import Searcher
from chalicelib.memories.store import SETTLE_MS, MemoryStore
from chalicelib.table import Table
from eventyard.core.event import Event

if TYPE_CHECKING:
    from chalicelib.memories.compact import Compactor
    from chalicelib.memories.embedders import Vectoriser
    from chalicelib.memories.knowledge import KnowledgeService
    from chalicelib.memories.means import Means
    from chalicelib.memories.service import MemoryService
    from chalicelib.outbound import Outbound

Service = TypeVar("Service", bound="Means")
CHORE: Final = "memories"
#: A space is looked after this often at most: when what is written now is settled.
_PERIOD_MS: Final = SETTLE_MS
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Needs:
    """What memories take from the rest of the platform."""

    new_key: Callable[[], str]
    log_item: Callable[[str, Sequence[Event], str], Item]
    #: Notes what to do at a moment: kind, name, milliseconds, ref.
    later: Callable[[str, str, int, Item], object]
    #: Leaves a chore to the queue.
    leave: Callable[[Item], object]
    #: The circles that an agent is an active member of, and their projects.
    circles_of: Members
    projects_of: Members


@dataclass
class Memories:
    """One property for each store and service of memories."""

    settings: Settings
    aws: Aws
    table: Table
    needs: Needs
    #: When spaces were last noted to be compacted, by this process.
    _noted: dict[str, int] = field(default_factory=dict)

    @cached_property
    def store(self) -> MemoryStore:
        """Return what is kept of memories."""
        return MemoryStore(self.table, self.needs.new_key, self.needs.log_item)

    @cached_property
    def files(self) -> SegmentFiles:
        """Return the segments of vectors."""
        return SegmentFiles(self.aws, self.settings.bucket)

    @cached_property
    def searcher(self) -> Searcher:
        """Return what searches spaces."""
        return Searcher(self.store, self.files, self.compact_soon)

    def compact_soon(self, space: str) -> None:
        """Have a space compacted within two minutes; noting it twice is once."""
        # At the end of this period what came in it would still be too young.
        period = int(self.store.clock() * 1_000) // _PERIOD_MS + 2
        if self._noted.get(space) != period:
            self._noted[space] = period
            self.needs.later(CHORE, space, period * _PERIOD_MS, {"space": space})

    def due(self, ref: Item) -> None:
        """Leave the compaction of a space to the queue."""
        self.needs.leave({**ref, "kind": CHORE})

    @cached_property
    def compactor(self) -> Compactor:
        """Return what makes segments of rows."""
        from chalicelib.memories.compact import Compactor

        return Compactor(self.table, self.store, self.files, self.needs.leave)

    @cached_property
    def access(self) -> Access:
        """Return what decides who may do what."""
        return Access(self.needs.circles_of, self.needs.projects_of)

    @cached_property
    def vectoriser(self) -> Vectoriser:
        """Return what makes vectors of texts."""
        from chalicelib.memories.embedders import TIMEOUT_S, Vectoriser, embedder

        told = self.settings.embeddings

        def bedrock() -> Any:
            return self.aws.bedrock(told.url, TIMEOUT_S)

        return Vectoriser(embedder(told, self._outbound, bedrock))

    def _outbound(self) -> Outbound:
        from chalicelib.outbound import Guard, Outbound

        # What an operator names may be private.
        named = (self.settings.allow_private_hosts, *self.settings.embeddings.hosts)
        return Outbound(Guard(",".join(filter(None, named))))

    @cached_property
    def service(self) -> MemoryService:
        """Return the verbs of memories."""
        from chalicelib.memories.service import MemoryService

        return self._with_means(MemoryService)

    @cached_property
    def knowledge(self) -> KnowledgeService:
        """Return the verbs of knowledge."""
        from chalicelib.memories.knowledge import KnowledgeService

        return self._with_means(KnowledgeService)

    def _with_means(self, service: type[Service]) -> Service:
        return service(
            self.store,
            self.searcher,
            self.vectoriser,
            self.access,
            self.compact_soon,
            self.settings.retention_days * _DAY_S,
        )
