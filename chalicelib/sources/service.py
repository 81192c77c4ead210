"""What can be done with sources, and what becomes of their deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.sources import model, signatures
from chalicelib.sources.model import Secret, Source
from chalicelib.sources.reading import Delivery, event_id_of, topic_of
from chalicelib.sources.store import SourceStore
from chalicelib.telemetry import log as log_line
from eventyard.core import moments
from eventyard.core.errors import AuthenticationError
from eventyard.core.event import Event

#: Publishes an event for somebody and returns what its publisher is told. The key
#: makes a retry find the first call; without one the event's own id does.
Publish = Callable[[Event, str, str | None], Mapping[str, Any]]
#: Tells the audit trail: what changed, who did it, details.
Tell = Callable[[str, Principal, Mapping[str, Any]], None]

#: What deliveries of nobody are held against, so that they take as long.
_NOBODYS: Final = "whsec_" + "A" * 32


@dataclass
class SourceService:
    """The verbs; each change is written and told."""

    store: SourceStore
    publish: Publish
    tell: Tell
    clock: Callable[[], float] = time.time

    def create(self, wish: Mapping[str, Any], by: Principal) -> tuple[Source, Item]:
        """
        Make a source; its deliveries are taken from now on.

        Returns it, and what of it is shown this once: a secret that was made here.
        Raises InvalidRequestError, or ConflictError when its name is taken.
        """
        scheme = model.scheme_from(wish["scheme"])
        secret, shown = _secret(scheme, wish.get("secret"))
        made = model.check(
            Source(
                name=wish["name"],
                scheme=scheme,
                secrets=(Secret(secret),),
                topic=wish.get("topic") or wish["name"],
                type_from=wish.get("type_from"),
                id_from=wish.get("id_from"),
                created_at=moments.at(self.clock()),
                created_by=by.id,
            )
        )
        self.store.add(made)
        self.tell("source.created", by, describe(made))
        return made, shown

    def get(self, name: str) -> Source:
        """Read one; raises NotFoundError."""
        return self.store.get(name)

    def page(self, cursor: str | None, limit: int) -> tuple[list[Source], str | None]:
        """Return sources by name, and where the next page begins."""
        read = list(self.store.some(cursor, limit + 1))
        return read[:limit], read[limit - 1].name if len(read) > limit else None

    def change(self, name: str, wish: Mapping[str, Any], by: Principal) -> Source:
        """Change what is named; the rest stays. Raises as `create`, and NotFoundError."""
        changes = dict(wish)
        if "scheme" in wish:
            changes["scheme"] = model.scheme_from(wish["scheme"])
        after = model.check(self.store.get(name).changed(**changes))
        self.store.save(after)
        self.tell("source.changed", by, describe(after))
        return after

    def rotate(
        self, name: str, given: str | None, grace_s: float, by: Principal
    ) -> tuple[Source, Item]:
        """
        Take a new secret, and for `grace_s` seconds the one before it as well.

        Returns the source, and the new secret if it was made here.
        """
        before, now = self.store.get(name), self.clock()
        secret, shown = _secret(before.scheme, given)
        ends = now + grace_s
        kept = [
            Secret(old.value, min(old.expires_at or ends, ends))
            for old in before.secrets
            if old.value != secret and old.is_valid(now) and ends > now
        ]
        after = before.changed(secrets=(Secret(secret), *kept[:1]))
        self.store.save(after)
        self.tell("source.secret_rotated", by, {"name": name})
        return after, shown

    def remove(self, name: str, by: Principal) -> None:
        """Remove a source; its deliveries are refused from now on."""
        found = self.store.get(name)
        self.store.remove(name)
        self.tell("source.removed", by, describe(found))

    def take(self, name: str, delivery: Delivery) -> Mapping[str, Any]:
        """
        Turn a delivery into an event, once however often it comes.

        Returns what the publisher of the event is told. Raises AuthenticationError,
        the same for a wrong signature and for a source that is not there, and
        InvalidRequestError for a body that cannot be read.
        """
        source = self._identified(name, delivery)
        payload = delivery.payload()
        kind = delivery.said(source.type_from, payload)
        topic = topic_of(source.topic, kind)
        ident = delivery.said(source.identity, payload)
        if ident is None:
            event = Event(topic, payload, source=source.origin)
            return self.publish(event, source.origin, delivery.digest(topic))
        event = Event(topic, payload, id=event_id_of(ident), source=source.origin)
        return self.publish(event, source.origin, None)

    def _identified(self, name: str, delivery: Delivery) -> Source:
        now = self.clock()
        source = self.store.find(name)
        fault = signatures.fault_of(
            source.scheme if source else signatures.Standard(),
            source.valid_secrets(now) if source else [_NOBODYS],
            delivery.headers,
            delivery.body,
            now,
        )
        if source is None or fault:
            reason = fault if source else "there is no such source"
            log_line("a webhook was refused", source=name, reason=reason)
            raise AuthenticationError(
                "The signature is missing or wrong, or there is no such source."
            )
        return source


def _secret(scheme: signatures.Scheme, given: str | None) -> tuple[str, Item]:
    if given is not None:
        return signatures.check_secret(scheme, given), {}
    made = signatures.new_secret(scheme)
    return made, {"secret": made}


def describe(source: Source) -> Item:
    """Return what may be told of a source: all but what is secret."""
    return {
        **source.to_dict(),
        "id_from": source.identity,
        "path": f"/webhooks/{source.name}",
        "secrets": [_masked(secret) for secret in source.secrets],
    }


def _masked(secret: Secret) -> Item:
    shown = {"hint": f"...{secret.value[-4:]}"}
    if secret.expires_at is None:
        return shown
    return {**shown, "expires_at": moments.at(secret.expires_at)}
