"""The verbs of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.auth import Principal
from chalicelib.graphs.content import Content, Place, named, read_push
from chalicelib.graphs.drawings import Drawings
from chalicelib.graphs.names import TYPES
from chalicelib.graphs.store import GraphStore, Version
from chalicelib.graphs.uploads import Uploads
from eventyard.core.errors import InvalidRequestError, NotFoundError
from eventyard.core.graph.model import FlowModel


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of a graph is wanted; nothing named is all of it."""

    #: None: all of them; none at all: an empty graph.
    namespaces: tuple[str, ...] | None = None
    hide_failed: bool = False
    hide_rejected: bool = False
    #: What is left out by its name, whatever the case.
    keywords: tuple[str, ...] = ()
    #: Whether agents, too, must be of the namespaces.
    agents_too: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything is left out."""
        return self != Filters()

    def narrow(self, model: FlowModel) -> FlowModel:
        """Return the part that is wanted."""
        from eventyard.core.graph.filters import narrow

        return narrow(
            model,
            namespaces=self.namespaces,
            hide_failed=self.hide_failed,
            hide_rejected=self.hide_rejected,
            keywords=self.keywords,
            agents_too=self.agents_too,
        )


@dataclass(frozen=True, slots=True)
class GraphService:
    """Pushes, reads, draws, compares and deletes."""

    store: GraphStore
    drawings: Drawings
    uploads: Uploads
    tell: Callable[[str, Principal, Mapping[str, Any]], None]

    def push(self, body: Any, by: Principal) -> dict[str, Any]:
        """
        Keep what a scanner sends; the same as the newest version makes no new one.

        Raises InvalidRequestError for what is wrong, NotFoundError for an upload that
        is not there.
        """
        upload = body.get("upload") if isinstance(body, Mapping) else None
        push = read_push(body if upload is None else self.uploads.read(upload))
        version, is_new = self.store.push(push)
        if is_new:
            self.tell("graph.pushed", by, {**_named(version), "stats": version.stats})
        if upload is not None:
            self.uploads.remove(upload)
        return {
            "status": "success",
            "graph_type": push.place.type,
            "timestamp": version.timestamp,
            "version": version.number,
            "unchanged": not is_new,
        }

    def status(self, project: str, ref: str) -> dict[str, Any]:
        """Tell which graphs there are."""
        heads = self.store.heads(*named(project, ref))
        return {
            "total_graphs": len(heads),
            "persist_enabled": True,
            "graphs": {kind: shown(version) for kind, version in heads.items()},
        }

    def projects(self) -> list[dict[str, Any]]:
        """Tell of every project which refs it has, and their graphs."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for version in self.store.projects():
            refs = found.setdefault(version.place.project, {})
            refs.setdefault(version.place.ref, {})[version.place.type] = {
                "version": version.number,
                "timestamp": version.timestamp,
            }
        return [
            {
                "project": project,
                "refs": [{"ref": ref, "graphs": refs[ref]} for ref in sorted(refs)],
            }
            for project, refs in sorted(found.items())
        ]

    def find(self, place: Place, number: int | None = None) -> Version:
        """Return a version, by default the newest; raises NotFoundError."""
        named(place.project, place.ref)
        version = self.store.version(place, number) if place.type in TYPES else None
        if version is not None:
            return version
        if number is not None and place.type in TYPES and self.store.head(place):
            raise NotFoundError(f'Graph type "{place.type}" has no version {number}')
        raise NotFoundError(f'Graph type "{place.type}" not found in cache')

    def read(self, version: Version, wanted: str) -> str:
        """
        Return a version in one of `FORMATS` that are text.

        Raises NotFoundError where there is no such thing.
        """
        content = self.store.content(version)
        match wanted:
            case "dot":
                return content.dot
            case "svg":
                if content.svg is None:
                    raise NotFoundError("SVG content not available for this graph")
                return content.svg
            case "mermaid":
                from eventyard.core.graph.exports import mermaid

                return mermaid(content.flow)
            case "text":
                from eventyard.core.graph.exports import text

                return text(content.flow)
        raise InvalidRequestError(f"Invalid format: {wanted}. Use dot, svg, or json")

    def record(self, version: Version) -> dict[str, Any]:
        """Return all that is known of a version."""
        content = self.store.content(version)
        return {
            "graph_type": version.place.type,
            "dot_content": content.dot,
            "svg_content": content.svg,
            "model": content.flow.to_dict(),
            "anomalies": content.anomalies,
            **shown(version),
        }

    def asyncapi(self, version: Version) -> dict[str, Any]:
        """Return a version as an AsyncAPI document."""
        from eventyard.core.graph.exports import asyncapi

        flow = self.store.content(version).flow
        return asyncapi(
            flow, title=version.place.project, version=f"0.{version.number}.0"
        )

    def flow(self, version: Version) -> FlowModel:
        """Return the model of a version."""
        return self.store.content(version).flow

    def dot(self, version: Version, filters: Filters) -> str:
        """Return the DOT of a version, or of a part of it."""
        content = self.store.content(version)
        return _part(content, version, filters) if filters else content.dot

    def picture(self, version: Version, filters: Filters) -> str:
        """Return a drawing: the one that was pushed, where all of it is wanted."""
        content = self.store.content(version)
        if not filters and content.svg is not None:
            return content.svg
        dot = _part(content, version, filters) if filters else content.dot
        return self.drawings.svg(dot)

    def delete(
        self, project: str, ref: str, types: Iterable[str], by: Principal
    ) -> list[str]:
        """Delete all versions of some types; return those that there were."""
        named(project, ref)
        places = [Place(project, ref, kind) for kind in types if kind in TYPES]
        gone = [place.type for place in self.store.clear(places)]
        if gone:
            self.tell(
                "graph.deleted",
                by,
                {"project": project, "ref": ref, "graph_types": gone},
            )
        return gone


def _part(content: Content, version: Version, filters: Filters) -> str:
    from eventyard.core.graph.drawing import draw

    return draw(filters.narrow(content.flow), version.place.type)


def shown(version: Version) -> dict[str, Any]:
    """Return what is told of a version without its content."""
    return {
        "timestamp": version.timestamp,
        "has_svg": version.has_svg,
        "stats": version.stats,
        "namespaces": version.namespaces,
        "version": version.number,
        "etag": version.etag,
        "project": version.place.project,
        "ref": version.place.ref,
        "commit": version.commit,
        "bytes": version.bytes,
    }


def _named(version: Version) -> dict[str, Any]:
    return {
        "project": version.place.project,
        "ref": version.place.ref,
        "graph_type": version.place.type,
        "version": version.number,
        **({"commit": version.commit} if version.commit else {}),
    }
