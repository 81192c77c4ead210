"""The scans that are kept: of each ref of a project, the graph that tells most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.graphs.store import KEPT, GraphStore, Version

#: The graph that names most comes first.
_WORTH: Final = ("complete", "full-tree", "simplified")


@dataclass(frozen=True, slots=True)
class Scans:
    """Reads graphs as what code did at some commit, whatever they were drawn for."""

    store: GraphStore

    def heads(self) -> Iterator[Version]:
        """Yield the newest scan of each ref of each project."""
        found: dict[tuple[str, str], Version] = {}
        for version in sorted(self.store.projects(), key=_worth, reverse=True):
            found[version.place.project, version.place.ref] = version
        yield from found.values()

    def history(self, project: str, ref: str) -> Iterator[Version]:
        """Yield the scans of a ref that are kept, the newest first."""
        heads = self.store.heads(project, ref)
        if heads:
            newest = min(heads.values(), key=_worth)
            yield from self.store.versions(newest.place, KEPT, None)[0]


def _worth(version: Version) -> int:
    return _WORTH.index(version.place.type)
