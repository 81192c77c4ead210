"""`/api/v1/schemas`: what payloads of topics must look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._parameters import CURSOR, limit
from eventyard.core.topics import compile_pattern

routes = Routes(__name__)
ADMIN: Final = "admin"
READ: Final = "events:subscribe"
# Fifty of the largest stay below what a function may answer with.
_LIMIT: Final = limit(20, highest=50)


@routes.post(
    "/api/v1/schemas",
    scope=ADMIN,
    body="schemas.NewSchema",
    answer="schemas.Schema",
    status=201,
    also={200: "The schema of this pattern was replaced.", 409: "There are too many."},
)
def save_schema(call: Call) -> Response:
    """Create the schema of a topic pattern, or replace it."""
    from chalicelib.api.shapes.schemas import NewSchema

    wanted = call.body(NewSchema)
    saved, is_new = call.platform.schemas.save(
        wanted.topics, wanted.definition, wanted.mode, wanted.description
    )
    call.audit(f"schema.{'created' if is_new else 'replaced'}", _named(saved))
    return answer_json(saved.to_dict(), 201 if is_new else 200)


@routes.get(
    "/api/v1/schemas", scope=READ, query=(_LIMIT, CURSOR), answer="schemas.Schemas"
)
def list_schemas(call: Call) -> Any:
    """List the schemas that may apply to topics of the caller's."""
    found, cursor = call.platform.schemas.page(
        call.principal.topics(READ), call.take(_LIMIT), call.take(CURSOR)
    )
    return {"schemas": [schema.to_dict() for schema in found], "cursor": cursor}


@routes.get("/api/v1/schemas/{schema_id}", scope=READ, answer="schemas.Schema")
def get_schema(call: Call, schema_id: str) -> Any:
    """Read one schema."""
    visible = call.principal.topics(READ)
    return call.platform.schemas.get(schema_id, visible).to_dict()


@routes.delete("/api/v1/schemas/{schema_id}", scope=ADMIN, answer="schemas.Deleted")
def delete_schema(call: Call, schema_id: str) -> Any:
    """Remove a schema; within ten seconds no function holds events against it."""
    removed = call.platform.schemas.remove(schema_id)
    call.audit("schema.deleted", _named(removed))
    return {"deleted": schema_id}


@routes.post(
    "/api/v1/schemas/infer",
    scope=READ,
    body="schemas.Sample",
    answer="schemas.Inferred",
    also={404: "There are no such events, or none that the caller may read."},
)
def infer_schema(call: Call) -> Any:
    """Make a schema that the newest events of some topics fit; nothing is saved."""
    from chalicelib.api.shapes.schemas import Sample

    sample = call.body(Sample)
    wanted = _among(sample.topics, call.principal.topics(READ))

    def read(count: int, cursor: str | None) -> Any:
        return call.platform.events.page(
            wanted, since_ms=0, until_ms=None, limit=count, cursor=cursor
        )

    schema, examined = call.platform.schemas.infer(read, sample.last)
    return {"schema": schema, "examined": examined}


def _among(
    topics: Sequence[str], visible: Sequence[str] | None
) -> Callable[[Mapping[str, Any]], bool]:
    asked = [compile_pattern(topic) for topic in topics]
    allowed = [compile_pattern(topic) for topic in (visible or ())]

    def wanted(view: Mapping[str, Any]) -> bool:
        topic = view["type"]
        return any(one.matches(topic) for one in asked) and (
            visible is None or any(one.matches(topic) for one in allowed)
        )

    return wanted


def _named(schema: Any) -> dict[str, Any]:
    return {"id": schema.id, "topics": schema.topics, "mode": schema.mode}
