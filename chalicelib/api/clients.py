"""`/api/v1/me`, `/api/v1/positions`: what a client asks about itself."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes

routes = Routes(__name__)
READ: Final = "events:subscribe"
_POSITION: Final = "/api/v1/positions/{name}"


@routes.get(
    "/api/v1/me",
    answer="clients.Me",
    also={401: "There is no valid key or token in the header."},
)
def me(call: Call) -> Any:
    """Tell who is calling, and what they may do; any valid key will do."""
    # It needs no scope, but a caller who is known.
    who = call.platform.gatekeeper.identify(call.request.headers)
    return {"id": who.id, "name": who.name, "scopes": sorted(who.scopes)}


@routes.get(_POSITION, scope=READ, answer="clients.Position")
def get_position(call: Call, name: str) -> Any:
    """Read the place that the caller keeps under a name."""
    return {"cursor": call.platform.positions.get(call.principal, name)}


@routes.put(
    _POSITION, scope=READ, body="clients.NewPosition", answer="clients.Position"
)
def keep_position(call: Call, name: str) -> Any:
    """Keep a place under a name; a lower one than is kept changes nothing."""
    from chalicelib.api.shapes.clients import NewPosition

    cursor = call.body(NewPosition).cursor
    return {"cursor": call.platform.positions.keep(call.principal, name, cursor)}
