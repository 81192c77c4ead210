"""What a subscription is, and what may stand in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from eventyard.core.errors import SubscriptionError
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern

State = Literal["RUNNING", "PAUSED", "DISABLED"]
RUNNING: Final = "RUNNING"
PAUSED: Final = "PAUSED"
DISABLED: Final = "DISABLED"

#: How the topics of the platform's own events begin. A wildcard does not stand for
#: it: who subscribes to everything means the events of the team.
OWN: Final = "eventyard"

#: The waits between attempts that Svix and others have settled on: 27.6 hours in all.
SCHEDULE_S: Final = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0)
#: After so long without one success a subscription is disabled: five days.
DISABLE_AFTER_S: Final = 432_000.0
MOST_TOPICS: Final = 100
MOST_HEADERS: Final = 20
_NAME: Final = re.compile(r"[\w.@/ -]{1,64}")
_QUEUE: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]{0,1000}")
#: What the platform or the protocol writes into a request itself.
_OURS: Final = re.compile(
    r"host|content-(length|type|encoding)|transfer-encoding|connection|expect|te|"
    r"trailer|upgrade|proxy-.*|user-agent|webhook-.*|eventyard-.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret; one that was replaced counts until `expires_at` (Unix s)."""

    value: str
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that gets each event in a signed request."""

    url: str
    secrets: tuple[Secret, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    def valid_secrets(self, now: float) -> list[str]:
        """Return the secrets to sign with, the newest first."""
        return [s.value for s in self.secrets if (s.expires_at or now + 1) > now]


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue of this account, by its name."""

    queue: str


Target = Webhook | Queue


@dataclass(frozen=True, slots=True)
class Retry:
    """
    What happens after a failure.

    `schedule_s` are the waits between attempts, in seconds: one more attempt than
    entries, then the dead letters. `jitter` is the part of a wait that chance may add
    or take.
    """

    schedule_s: tuple[float, ...] = SCHEDULE_S
    jitter: float = 0.2
    timeout_s: float = 15.0
    disable_after_s: float = DISABLE_AFTER_S


@dataclass(frozen=True, slots=True)
class Subscription:
    """Topics and a filter, where their events go, and how."""

    id: str
    topics: tuple[str, ...]
    filter: Mapping[str, Any]
    target: Target
    #: The place in the log from which its events count.
    since: str
    created_at: str
    created_by: str
    #: What an event's `target` may call it.
    name: str | None = None
    retry: Retry = field(default_factory=Retry)
    #: How many requests at a time; None means as many as there are workers.
    concurrency: int | None = None
    #: How many events a second; None means as fast as it goes.
    rate_limit: float | None = None
    #: How many events one request may carry.
    batch_size: int = 1
    state: State = RUNNING
    #: Why it does not run.
    reason: str | None = None
    #: The place in the log at which it stopped running.
    stopped_at: str | None = None
    #: In which item its counters are.
    page: int = 0
    #: Grows with each change, so that two changes at once do not mix.
    revision: int = 1

    @property
    def names_own(self) -> bool:
        """Tell whether it asks for the platform's own events by name."""
        return any(topic.split(".")[0] == OWN for topic in self.topics)

    @property
    def attempts_allowed(self) -> int:
        """Return how often one event is tried before it is a dead letter."""
        return len(self.retry.schedule_s) + 1

    def changed(self, **changes: Any) -> Subscription:
        """Return the subscription with changes, as its next revision."""
        return replace(self, revision=self.revision + 1, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which it is stored, secrets included."""
        kind = "webhook" if isinstance(self.target, Webhook) else "queue"
        fields = asdict(self)
        fields["target"]["type"] = kind
        return fields

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Subscription:
        """Read the stored form."""
        fields = dict(stored)
        target = dict(fields.pop("target"))
        retry = dict(fields.pop("retry"))
        schedule = tuple(retry.pop("schedule_s"))
        return cls(
            **{**fields, "topics": tuple(fields["topics"])},
            target=_target_from(target),
            retry=Retry(schedule_s=schedule, **retry),
        )


def _target_from(stored: dict[str, Any]) -> Target:
    if stored.pop("type") == "queue":
        return Queue(stored["queue"])
    secrets = tuple(Secret(**secret) for secret in stored["secrets"])
    return Webhook(stored["url"], secrets, stored["headers"])


def check(subscription: Subscription) -> Subscription:
    """Return the subscription, or raise SubscriptionError saying what is wrong."""
    if not 1 <= len(subscription.topics) <= MOST_TOPICS:
        raise SubscriptionError(f"topics: 1 to {MOST_TOPICS} patterns.")
    for topic in subscription.topics:
        compile_pattern(topic)
    compile_filter(subscription.filter)
    if subscription.name is not None and not _NAME.fullmatch(subscription.name):
        raise SubscriptionError(
            "name: 1 to 64 letters, digits, spaces or any of _ . @ / -"
        )
    if isinstance(subscription.target, Webhook):
        _check_headers(subscription.target.headers)
    return subscription


def check_queue_name(name: str, prefix: str, own: str) -> str:
    """Return the name of a queue that events may be sent to; never one of our `own`."""
    if name.startswith(own):
        raise SubscriptionError(f"target.queue: {name[:80]} is the platform's own.")
    if not _QUEUE.fullmatch(name) or not name.startswith(prefix):
        raise SubscriptionError(
            f"target.queue: the name of an SQS queue that begins with {prefix!r} "
            f"(EVENTYARD_TARGET_QUEUES sets that), not {name[:80]!r}."
        )
    return name


def _check_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > MOST_HEADERS:
        raise SubscriptionError(f"target.headers: at most {MOST_HEADERS}.")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or _OURS.fullmatch(name):
            raise SubscriptionError(f"target.headers: {name[:64]!r} cannot be set.")
        if not _HEADER_VALUE.fullmatch(value):
            raise SubscriptionError(
                f"target.headers: {name} must be up to 1000 printable ASCII characters."
            )


def covered(topics: Sequence[str], allowed: Sequence[str] | None) -> str | None:
    """Return the first pattern that reaches beyond the allowed ones, or None."""
    from eventyard.core.topics import covers

    if allowed is None:
        return None
    beyond = (t for t in topics if not any(covers(wide, t) for wide in allowed))
    return next(beyond, None)
