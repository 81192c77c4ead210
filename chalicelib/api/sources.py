"""`/api/v1/sources`: who sends webhooks; `/webhooks`: where they send them."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.api._endpoint import Call, Routes
from chalicelib.api._parameters import CURSOR, limit

routes = Routes(__name__)
ADMIN: Final = "admin"
_PATH: Final = "/api/v1/sources"
_ONE: Final = _PATH + "/{name}"
_FORM: Final = "application/x-www-form-urlencoded"
_LIMIT: Final = limit(50, highest=200)
_CHANGED: Final = {409: "Somebody else changed it meanwhile."}


@routes.post(
    _PATH,
    scope=ADMIN,
    body="sources.NewSource",
    answer="sources.MadeSource",
    status=201,
    also={409: "There is a source of this name."},
)
def create_source(call: Call) -> Any:
    """Take in the webhooks of a sender, from the answer on."""
    from chalicelib.api.shapes.sources import NewSource
    from chalicelib.sources.service import describe

    wish = call.body(NewSource).model_dump(exclude_none=True)
    made, shown = call.platform.sources.create(wish, call.principal)
    return {**describe(made), **shown}


@routes.get(_PATH, scope=ADMIN, query=(_LIMIT, CURSOR), answer="sources.SourcePage")
def list_sources(call: Call) -> Any:
    """List sources by name, without their secrets."""
    from chalicelib.sources.service import describe

    page, cursor = call.platform.sources.page(call.take(CURSOR), call.take(_LIMIT))
    return {"sources": [describe(one) for one in page], "cursor": cursor}


@routes.get(_ONE, scope=ADMIN, answer="sources.Source")
def get_source(call: Call, name: str) -> Any:
    """Read one."""
    from chalicelib.sources.service import describe

    return describe(call.platform.sources.get(name))


@routes.patch(
    _ONE,
    scope=ADMIN,
    body="sources.ChangedSource",
    answer="sources.Source",
    also=_CHANGED,
)
def change_source(call: Call, name: str) -> Any:
    """Change what is named; a scheme is replaced whole."""
    from chalicelib.api.shapes.sources import ChangedSource
    from chalicelib.sources.service import describe

    wish = call.body(ChangedSource).model_dump(exclude_unset=True)
    # null takes away what may be absent, and says nothing of the rest.
    absent = ("type_from", "id_from")
    kept = {n: v for n, v in wish.items() if v is not None or n in absent}
    return describe(call.platform.sources.change(name, kept, call.principal))


@routes.delete(_ONE, scope=ADMIN, answer="sources.RemovedSource")
def remove_source(call: Call, name: str) -> Any:
    """Refuse its webhooks from now on; the events that they became stay."""
    call.platform.sources.remove(name, call.principal)
    return {"removed": name}


@routes.post(
    _ONE + "/rotate-secret",
    scope=ADMIN,
    body="sources.SourceSecret",
    answer="sources.RotatedSource",
    also=_CHANGED,
)
def rotate_source_secret(call: Call, name: str) -> Any:
    """Take a new secret, and for a while the old one as well."""
    from chalicelib.api.shapes.sources import SourceSecret
    from chalicelib.sources.service import describe

    wish = call.body(SourceSecret)
    after, shown = call.platform.sources.rotate(
        name, wish.secret, wish.grace_s, call.principal
    )
    return {"name": name, **shown, "secrets": describe(after)["secrets"]}


@routes.post(
    "/webhooks/{source}",
    body={"application/json": "sources.AnyJson", _FORM: "sources.FormFields"},
    answer="sources.AcceptedDelivery",
    status=202,
    also={401: "The signature is missing or wrong, or there is no such source."},
)
def receive_webhook(call: Call, source: str) -> Any:
    """
    Take a signed delivery in as an event.

    The signature decides who may; which headers it stands in says the source.
    """
    from chalicelib.sources.reading import Delivery

    headers = {name.lower(): value for name, value in call.request.headers.items()}
    delivery = Delivery(headers, call.raw(), form=call.media_type == _FORM)
    told = call.platform.sources.take(source, delivery)
    again = {"deduplicated": True} if "deduplicated" in told else {}
    return {"event_id": told["event_id"], "status": "accepted", **again}
