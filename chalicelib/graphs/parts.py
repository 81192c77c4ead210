"""The parts of graphs, each made when it is first touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.aws import Aws
from chalicelib.config import Settings
from chalicelib.graphs.drawings import Drawings, renderer
from chalicelib.graphs.service import GraphService
from chalicelib.graphs.store import GraphStore
from chalicelib.graphs.uploads import Uploads
from chalicelib.table import Table

if TYPE_CHECKING:
    from chalicelib.graphs.overlay import Overlays
    from chalicelib.graphs.scans import Scans


@dataclass
class Graphs:
    """One property for each store and service of graphs."""

    settings: Settings
    aws: Aws
    table: Table
    tell: Callable[..., None]

    @cached_property
    def store(self) -> GraphStore:
        """Return the versions of graphs."""
        return GraphStore(self.table, self.aws, self.settings.bucket)

    @cached_property
    def drawings(self) -> Drawings:
        """Return what draws."""
        draw = renderer(self.settings.renderer)
        name = self.settings.renderer
        return Drawings(self.aws, self.settings.bucket, draw, name)

    @cached_property
    def service(self) -> GraphService:
        """Return the verbs of graphs."""
        uploads = Uploads(self.aws, self.settings.bucket)
        return GraphService(self.store, self.drawings, uploads, self.tell)

    @cached_property
    def scans(self) -> Scans:
        """Return the graphs as what code did at some commit."""
        from chalicelib.graphs.scans import Scans

        return Scans(self.store)

    @cached_property
    def overlays(self) -> Overlays:
        """Return what finds traffic in the code."""
        from chalicelib.graphs.overlay import Overlays

        return Overlays(self.service.find, self.service.flow)
