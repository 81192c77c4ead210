"""Taking in what GitHub sends: checked before anything else, then kept, then answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from chalicelib.pulls import github
from chalicelib.pulls.deliveries import Deliveries, Taken
from chalicelib.pulls.payload import dig, text, whole
from chalicelib.telemetry import log as log_line
from eventyard.core.errors import (
    AuthenticationError,
    InvalidRequestError,
    PayloadTooLargeError,
)
from eventyard.core.event import Event
from eventyard.core.wire import loads

#: A function is handed at most 6 MB.
MOST_BYTES: Final = 5_000_000
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Received:
    """What GitHub is told of a delivery."""

    event_id: str
    topic: str
    message: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes deliveries: verified, recognised, appended to the log."""

    deliveries: Deliveries
    secret: str
    #: Whether everybody may do everything here: then no secret is needed.
    is_open: bool

    def receive(
        self, header: Callable[[str], str | None], body: bytes, media: str
    ) -> Received:
        """
        Take one delivery; it is in the log when this returns.

        Raises AuthenticationError before anything else is looked at,
        PayloadTooLargeError, or InvalidRequestError naming what is wrong.
        """
        self._verify(header("x-hub-signature-256"), body)
        if len(body) > MOST_BYTES:
            raise PayloadTooLargeError(
                f"A delivery may have {MOST_BYTES} bytes, not {len(body)}.",
                details={"limit": MOST_BYTES, "bytes": len(body)},
            )
        delivery = github.delivery_of(header, body)
        payload = _payload(body, media)
        event = _event(delivery, payload)
        taken = self.deliveries.take(delivery, event, _shown(payload))
        return Received(f"evt_{taken.place}", event.type, _told(delivery.event, taken))

    def _verify(self, signature: str | None, body: bytes) -> None:
        if self.secret:
            github.verify(self.secret, body, signature)
        elif not self.is_open:
            raise AuthenticationError(
                "No secret is set here, so no delivery can be trusted; set "
                "EVENTYARD_GITHUB_SECRET."
            )
        else:
            log_line("a delivery was taken without a signature: no secret is set")


def _payload(body: bytes, media: str) -> Mapping[str, Any]:
    if media == _FORM:
        found = parse_qs(body.decode(errors="replace")).get("payload", [""])
        value = loads(found[0])
    else:
        value = loads(body)
    if not isinstance(value, Mapping):
        raise InvalidRequestError("A delivery's payload is a JSON object.")
    return value


def _event(delivery: github.Delivery, payload: Mapping[str, Any]) -> Event:
    number = whole(dig(payload, "pull_request", "number"))
    return Event(
        github.topic_of(delivery.event, payload),
        dict(payload),
        source=github.source_of(payload),
        digest=delivery.digest,
        delivery=delivery.id,
        **({"subject": str(number)} if number else {}),
    )


def _shown(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": text(payload.get("action")),
        "repository": text(dig(payload, "repository", "full_name")),
    }


def _told(event: str, taken: Taken) -> str:
    if event == "ping":
        return "pong"
    if not taken.known:
        return "accepted"
    return "known, and done" if taken.done else "known, and worked on again"
