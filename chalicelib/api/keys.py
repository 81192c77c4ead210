"""`/api/v1/keys`: make, list, rotate and revoke API keys."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes

routes = Routes(__name__)
ADMIN: Final = "admin"


@routes.post(
    "/api/v1/keys",
    scope=ADMIN,
    body="keys.NewKey",
    answer="keys.MadeKey",
    status=201,
)
def create_key(call: Call) -> Any:
    """Make a key; its secret is in this answer and nowhere else."""
    from chalicelib.api.shapes.keys import NewKey

    wanted = call.body(NewKey)
    secret, row = call.platform.keys.create(
        wanted.name, wanted.scopes, wanted.expires_in_s
    )
    call.audit("key.created", row)
    return {**row, "key": secret}


@routes.get("/api/v1/keys", scope=ADMIN, answer="keys.Keys")
def list_keys(call: Call) -> Any:
    """List keys by id, name and scopes."""
    return {"keys": list(call.platform.keys.all())}


@routes.post(
    "/api/v1/keys/{key_id}/rotate",
    scope=ADMIN,
    body="keys.Rotation",
    answer="keys.RotatedKey",
    status=201,
    also={409: "The key was rotated before; its successor is named."},
)
def rotate_key(call: Call, key_id: str) -> Any:
    """Make a key's successor; the old secret works on for `grace_s` seconds."""
    from chalicelib.api.shapes.keys import Rotation

    wanted = call.body(Rotation) if call.request.raw_body else Rotation()
    secret, new, old = call.platform.keys.rotate(key_id, wanted.grace_s)
    call.platform.gatekeeper.forget(key_id)
    call.audit("key.rotated", {"old": old, "new": new})
    return {**new, "key": secret, "replaces": old}


@routes.delete("/api/v1/keys/{key_id}", scope=ADMIN, answer="keys.RevokedKey")
def revoke_key(call: Call, key_id: str) -> Any:
    """Revoke a key; within half a minute no function accepts it any more."""
    row = call.platform.keys.revoke(key_id)
    call.platform.gatekeeper.forget(key_id)
    call.audit("key.revoked", row)
    return {"revoked": key_id}
