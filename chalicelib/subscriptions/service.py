"""What can be done with subscriptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from chalicelib.auth import Principal
from chalicelib.aws import Item
from chalicelib.outbound import Guard
from chalicelib.subscriptions import model
from chalicelib.subscriptions.model import Queue, Secret, Subscription, Webhook
from chalicelib.subscriptions.rows import Row, Rows
from chalicelib.subscriptions.store import SubscriptionStore
from chalicelib.subscriptions.targets import Targets
from chalicelib.subscriptions.webhook import Outcome, check_secret, new_secret
from chalicelib.telemetry import log as log_line
from chalicelib.wire import Placed
from eventyard.core import moments, ulid
from eventyard.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from eventyard.core.event import Event

SCOPE: Final = "events:subscribe"
#: How far back a subscription that runs again looks from where it stopped: so late an
#: event may have become visible.
SETTLE_MS: Final = 90_000
#: What was matched while the change spread comes by both ways; it counts once.
_AHEAD_MS: Final = 5_000
#: What functions' clocks may differ by: what is accepted after a subscription counts.
_SKEW_MS: Final = 200


class Walker(Protocol):
    """Goes through a stretch of the log for one subscription."""

    def begin(self, subscription: Subscription, after: str, until: str) -> Item:
        """Deliver what the subscription wants of the log between two places."""
        ...


#: Tells the audit trail: what changed, who did it, details.
Tell = Callable[[str, Principal, Mapping[str, Any]], None]


@dataclass
class SubscriptionService:
    """The verbs; each change is written, made visible by the version, and told."""

    store: SubscriptionStore
    rows: Rows
    guard: Guard
    targets: Targets
    walker: Walker
    tell: Tell
    #: Returns the place of an event by its id.
    locate: Callable[[str], Placed]
    #: How the names of queues begin that events may be sent to.
    queue_prefix: str
    #: How those of the platform itself begin.
    own_queues: str
    clock: Callable[[], float] = time.time

    def create(
        self, wish: Mapping[str, Any], by: Principal
    ) -> tuple[Subscription, Item]:
        """
        Make a subscription; events accepted from now on are matched against it.

        Returns it, and what of it is shown this once: a secret that was made here.
        Raises SubscriptionError, AddressRefusedError or PermissionDeniedError.
        """
        target, shown = self._target(wish["target"])
        start = wish.get("start", "latest")
        since = self._place_of(start)
        made = Subscription(
            id=f"sub_{ulid.new_ulid()}",
            filter=wish.get("filter") or {},
            target=target,
            since=since,
            created_at=self._now_text(),
            created_by=by.id,
            **_plain(wish),
        )
        self._check(made, by)
        self.store.add(replace(made, page=self.store.next_page()))
        made = self.store.get(made.id)
        self.tell("subscription.created", by, describe(made))
        if start != "latest":
            self.walker.begin(made, _before(since), self._place_ahead())
        return made, shown

    def _target(self, wish: Mapping[str, Any]) -> tuple[model.Target, Item]:
        if wish["type"] == "queue":
            name = model.check_queue_name(
                wish["queue"], self.queue_prefix, self.own_queues
            )
            self.targets.queues.check(name)
            return Queue(name), {}
        self._check_url(wish["url"])
        given = wish.get("secret")
        secret = check_secret(given) if given else new_secret()
        target = Webhook(
            wish["url"], (Secret(secret),), dict(wish.get("headers") or {})
        )
        return target, {} if given else {"secret": secret}

    def _check_url(self, url: str) -> None:
        try:
            self.guard.check_url(url)
        except InvalidRequestError as error:
            error.details.setdefault("field", "target.url")
            raise

    def _check(self, made: Subscription, by: Principal) -> None:
        model.check(made)
        beyond = model.covered(made.topics, by.topics(SCOPE))
        if beyond is not None:
            raise PermissionDeniedError(
                f"This needs the scope {SCOPE}:{beyond}.",
                details={"scope": SCOPE, "topic": beyond},
            )

    def _place_of(self, start: str) -> str:
        if start == "latest":
            # A function that accepts events may have a clock that is behind ours.
            return ulid.floor(int(self.clock() * 1000) - _SKEW_MS)
        if start == "earliest":
            return ulid.floor(0)
        try:
            return ulid.floor(int(moments.read(start).timestamp() * 1000))
        except ValueError:
            pass
        try:
            return self.locate(start).place
        except NotFoundError:
            raise InvalidRequestError(
                "start must be latest, earliest, a time or the id of an event, "
                f"not {start[:80]!r}.",
                details={"field": "start"},
            ) from None

    def _place_now(self) -> str:
        return ulid.floor(int(self.clock() * 1000))

    def _place_ahead(self) -> str:
        return ulid.floor(int(self.clock() * 1000) + _AHEAD_MS)

    def _now_text(self) -> str:
        return moments.at(self.clock())

    def get(self, subscription_id: str, by: Principal) -> Subscription:
        """Read one that the caller may see; raises NotFoundError."""
        found = self.store.get(subscription_id)
        if model.covered(found.topics, by.topics(SCOPE)) is not None:
            # Whoever may not read its events is not told that it exists.
            raise NotFoundError(f"There is no subscription {subscription_id}.")
        return found

    def page(
        self, by: Principal, cursor: str | None, limit: int
    ) -> tuple[list[Subscription], str | None]:
        """Return those that the caller may see, in the order of creation."""
        allowed = by.topics(SCOPE)
        read = list(self.store.some(cursor, limit + 1))
        more = len(read) > limit
        seen = [s for s in read[:limit] if model.covered(s.topics, allowed) is None]
        return seen, read[limit - 1].id if more else None

    def change(
        self, subscription_id: str, wish: Mapping[str, Any], by: Principal
    ) -> Subscription:
        """Change what is named; the rest stays. Raises as `create`, and ConflictError."""
        before = self.get(subscription_id, by)
        changes = _plain({**wish, "retry": None})
        if "retry" in wish:
            changes["retry"] = replace(before.retry, **_retry(wish["retry"]))
        if "filter" in wish:
            changes["filter"] = wish["filter"] or {}
        if "target" in wish:
            changes["target"] = self._retargeted(before.target, wish["target"])
        after = before.changed(**changes)
        self._check(after, by)
        self.store.save(after)
        self.tell("subscription.changed", by, describe(after))
        return after

    def _retargeted(
        self, before: model.Target, wish: Mapping[str, Any]
    ) -> model.Target:
        if isinstance(before, Webhook) and wish.get("type") == "webhook":
            self._check_url(wish["url"])
            headers = wish.get("headers")
            secret = wish.get("secret")
            return Webhook(
                wish["url"],
                (Secret(check_secret(secret)),) if secret else before.secrets,
                before.headers if headers is None else dict(headers),
            )
        return self._target(wish)[0]

    def rotate(
        self, subscription_id: str, secret: str | None, grace_s: float, by: Principal
    ) -> tuple[Subscription, str]:
        """
        Sign with a new secret, and for `grace_s` seconds with the old one as well.

        Returns the subscription and the new secret.
        """
        before = self.get(subscription_id, by)
        if not isinstance(before.target, Webhook):
            raise InvalidRequestError("Only webhooks have a secret.")
        now = self.clock()
        fresh = check_secret(secret) if secret else new_secret()
        old = [
            Secret(s.value, min(s.expires_at or now + grace_s, now + grace_s))
            for s in before.target.secrets
            if s.value != fresh and (s.expires_at or now + 1) > now
        ]
        target = replace(before.target, secrets=(Secret(fresh), *old)[:4])
        after = before.changed(target=target)
        self.store.save(after)
        self.tell("subscription.secret_rotated", by, {"id": after.id})
        return after, fresh

    def pause(self, subscription_id: str, reason: str, by: Principal) -> Subscription:
        """Stop delivering; what comes meanwhile can be caught up with later."""
        before = self.get(subscription_id, by)
        if before.state == model.PAUSED:
            return before
        stopped = before.stopped_at or self._place_now()
        after = before.changed(state=model.PAUSED, reason=reason, stopped_at=stopped)
        self.store.save(after)
        self.tell("subscription.paused", by, {"id": after.id, "reason": reason})
        return after

    def disable(self, subscription_id: str, reason: str) -> None:
        """Stop delivering because the target fails; operators are told."""
        try:
            before = self.store.get(subscription_id)
            if before.state != model.RUNNING:
                return
            after = before.changed(
                state=model.DISABLED, reason=reason, stopped_at=self._place_now()
            )
            self.store.save(after)
        except (NotFoundError, ConflictError):
            return  # somebody is busy with it; the next failure tries again
        log_line("a subscription was disabled", id=subscription_id, reason=reason)
        platform = Principal("eventyard", frozenset(), "eventyard")
        self.tell("subscription.disabled", platform, {"id": after.id, "reason": reason})

    def resume(self, subscription_id: str, start: str, by: Principal) -> Subscription:
        """
        Deliver again: from the last processed event, or only the latest.

        `start` is `last_processed` or `latest`.
        """
        before = self.get(subscription_id, by)
        if before.state == model.RUNNING:
            return before
        running: dict[str, Any] = {"state": model.RUNNING, "reason": None}
        if start == "latest":
            running["since"] = self._place_now()
        after = before.changed(**running, stopped_at=None)
        self.store.save(after)
        self.store.recovered(after.id)
        self.tell("subscription.resumed", by, {"id": after.id, "from": start})
        if start == "latest":
            self._skip_held(after)
        else:
            stopped = before.stopped_at or self._place_now()
            back = ulid.floor(max(ulid.timestamp_ms(stopped) - SETTLE_MS, 0))
            begin = max(back, _before(before.since))
            self.walker.begin(after, begin, self._place_ahead())
        return after

    def _skip_held(self, subscription: Subscription) -> None:
        held = list(self.rows.held(subscription.id))
        places = [item["place"] for item in held if "place" in item]
        rows = self.rows.read((f"delivery#{p}", subscription.id) for p in places)
        self.rows.write(
            replace(row, status="skipped", next_at=None) for row in rows.values()
        )
        self.rows.unhold(subscription.id, held)
        waiting = self.store.counters([subscription])[subscription.id]["waiting"]
        self.store.count_one(subscription, skipped=waiting)

    def remove(self, subscription_id: str, by: Principal) -> None:
        """Remove a subscription; its dead letters stay until they are purged."""
        found = self.get(subscription_id, by)
        self.store.remove(found.id)
        self.tell("subscription.removed", by, describe(found))

    def test(self, subscription_id: str, by: Principal) -> tuple[Event, Outcome]:
        """Send an event that says it is a test, now and once; nothing is counted."""
        found = self.get(subscription_id, by)
        place = ulid.new_ulid(int(self.clock() * 1000))
        event = Event(
            "eventyard.test",
            {"message": f"A test of {found.name or found.id}, sent by {by.name}."},
            id=f"evt_{place}",
            source="eventyard",
        )
        row = Row(place, found.id, event.type, event.id)
        return event, self.targets.attempt(found, [Placed(place, event)], row)

    def lag_s(self, subscription: Subscription) -> float:
        """Return for how many seconds it has not been delivering."""
        if subscription.stopped_at is None:
            return 0.0
        return max(
            self.clock() - ulid.timestamp_ms(subscription.stopped_at) / 1000, 0.0
        )


def describe(subscription: Subscription) -> Item:
    """Return what may be told of a subscription: all but what is secret."""
    stored = subscription.to_dict()
    target = dict(stored["target"])
    if "secrets" in target:
        target["secrets"] = [_masked(secret) for secret in target["secrets"]]
        target["headers"] = dict.fromkeys(target["headers"], "***")
    kept = {n: v for n, v in stored.items() if n not in ("page", "stopped_at", "since")}
    return {**kept, "target": target}


def _masked(secret: Mapping[str, Any]) -> Item:
    shown = f"whsec_...{secret['value'][-4:]}"
    expires = secret["expires_at"]
    if expires is None:
        return {"hint": shown}
    return {"hint": shown, "expires_at": moments.at(expires)}


_PLAIN: Final = ("name", "concurrency", "rate_limit", "batch_size")


def _plain(wish: Mapping[str, Any]) -> Item:
    found: Item = {name: wish[name] for name in _PLAIN if name in wish}
    if "topics" in wish:
        topics = wish["topics"]
        found["topics"] = (topics,) if isinstance(topics, str) else tuple(topics)
    if wish.get("retry") is not None:
        found["retry"] = model.Retry(**_retry(wish["retry"]))
    return found


def _retry(wish: Mapping[str, Any]) -> Item:
    schedule = wish.get("schedule_s")
    return {**wish, "schedule_s": tuple(schedule)} if schedule is not None else {**wish}


def _before(place: str) -> str:
    return ulid.add(place, -1) if place > ulid.floor(0) else ulid.floor(0)
