"""What graphs tell beyond their picture: what changed, what is odd, what depends."""

from __future__ import annotations

from typing import Any

from chalicelib.graphs.content import Place
from chalicelib.graphs.service import GraphService
from chalicelib.graphs.store import Version
from eventyard.core.errors import NotFoundError


def diff(
    service: GraphService,
    place: Place,
    base: int | None,
    head: int | None,
    base_ref: str | None,
) -> dict[str, Any]:
    """
    Tell what came, went and changed between two versions.

    Without `head` it is the newest, without `base` the one before it, or the newest
    of `base_ref`. A first version is compared with nothing. Raises NotFoundError.
    """
    from eventyard.core.graph import diff as compare
    from eventyard.core.graph.model import FlowModel

    after = service.find(place, head)
    before = _before(service, after, base, base_ref)
    old = service.flow(before) if before else FlowModel()
    found = compare.diff(old, service.flow(after))
    return {
        "graph_type": place.type,
        "project": place.project,
        "base": _named(before) if before else None,
        "head": _named(after),
        "empty": found.empty,
        **found.to_dict(),
    }


def _before(
    service: GraphService, after: Version, base: int | None, base_ref: str | None
) -> Version | None:
    place = after.place
    if base_ref is not None and base_ref != place.ref:
        return service.find(Place(place.project, base_ref, place.type), base)
    if base is not None:
        return service.find(place, base)
    page, _ = service.store.versions(place, 1, after.number)
    return page[0] if page else None


def analysis(service: GraphService, version: Version) -> dict[str, Any]:
    """Tell what is odd about a version, and how events lead to each other."""
    from eventyard.core.graph.analysis import (
        anomalies,
        chains,
        cycles,
        entries,
        terminals,
    )

    flow = service.flow(version)
    return {
        "graph_type": version.place.type,
        "project": version.place.project,
        **_named(version),
        "anomalies": anomalies(flow),
        "entries": entries(flow),
        "terminals": terminals(flow),
        "cycles": cycles(flow),
        "chains": chains(flow),
    }


def impact(service: GraphService, version: Version, event: str) -> dict[str, Any]:
    """Tell whom a change of an event concerns; raises NotFoundError."""
    from eventyard.core.graph.analysis import impact as impact_of

    flow = service.flow(version)
    if all(one.name != event for one in flow.events):
        raise NotFoundError(f'There is no event "{event:.200}" in this graph.')
    return {**_named(version), "impact": impact_of(flow, event)}


def _named(version: Version) -> dict[str, Any]:
    return {
        "ref": version.place.ref,
        "version": version.number,
        "timestamp": version.timestamp,
        "commit": version.commit,
    }
