"""The parts of circles, each made when it is first touched."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from chalicelib.aws import Item
from chalicelib.circles.once import Once
from chalicelib.circles.service import CircleService
from chalicelib.circles.store import CircleItems
from chalicelib.circles.tasks import TaskService
from chalicelib.circles.tell import Teller
from chalicelib.table import Table
from eventyard.core.event import Event


@dataclass
class Circles:
    """One property for each store and service of circles."""

    table: Table
    new_key: Callable[[], str]
    #: What appending a commit writes: its key, its events, and who appends.
    log_item: Callable[[str, Sequence[Event], str], Item]
    retention_days: int
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def items(self) -> CircleItems:
        """Return what is kept."""
        return CircleItems(self.table)

    @cached_property
    def teller(self) -> Teller:
        """Return what tells of changes."""
        return Teller(
            self.table, self.new_key, self.log_item, self.retention_days, self._time
        )

    @cached_property
    def service(self) -> CircleService:
        """Return the verbs of circles."""
        once = Once(self.table, self._time)
        return CircleService(self.items, self.teller, once, self._time, self.sleep)

    @cached_property
    def tasks(self) -> TaskService:
        """Return the verbs of tasks."""
        return TaskService(self.service, self.items, self.teller)

    def _time(self) -> float:
        # Whoever sets the clock sets it for all.
        return self.clock()
