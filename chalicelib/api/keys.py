"""`/api/v1/keys`: make, list and revoke API keys."""

from __future__ import annotations

from typing import Any, Final

from chalice.app import Response

from chalicelib.api._endpoint import Call, Routes, answer_json

routes = Routes(__name__)
ADMIN: Final = "admin"


@routes.post(
    "/api/v1/keys", scope=ADMIN, body="keys.NewKey", answer="keys.MadeKey", status=201
)
def create_key(call: Call) -> Response:
    """Make a key; its secret is in this answer and nowhere else."""
    from chalicelib.api.shapes.keys import NewKey

    wanted = call.body(NewKey)
    secret, row = call.platform.keys.create(wanted.name, wanted.scopes)
    return answer_json({**row, "key": secret}, 201)


@routes.get("/api/v1/keys", scope=ADMIN, answer="keys.Keys")
def list_keys(call: Call) -> Any:
    """List keys by id, name and scopes."""
    return {"keys": list(call.platform.keys.all())}


@routes.delete("/api/v1/keys/{key_id}", scope=ADMIN, answer="keys.RevokedKey")
def revoke_key(call: Call, key_id: str) -> Any:
    """Revoke a key; within half a minute no function accepts it any more."""
    call.platform.keys.revoke(key_id)
    return {"revoked": key_id}
