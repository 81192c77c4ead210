"""Standard Webhooks 1.0: one signed request, and what its answer means."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from chalicelib.outbound import Answer, CallFailedError, Outbound
from chalicelib.subscriptions.model import Webhook
from chalicelib.wire import Placed, cloud, encode, join
from eventyard.core.addresses import AddressRefusedError
from eventyard.core.errors import SubscriptionError
from eventyard.core.wire import MEDIA_BATCH, MEDIA_CLOUDEVENT
from eventyard.version import VERSION

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)
_GONE: Final = 410
#: A receiver cannot put an event off for longer than a day at a time.
_MOST_WAIT_S: Final = 86_400.0
_DIGITS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended."""

    delivered: bool
    status: int | None = None
    error: str | None = None
    duration_ms: int = 0
    #: How long the receiver asked to be left alone, in seconds.
    retry_after_s: float = 0.0

    @property
    def gone(self) -> bool:
        """Tell whether the receiver said never to come back."""
        return self.status == _GONE


def new_secret() -> str:
    """Make a secret of 256 random bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> str:
    """Return a secret in its one form, or raise SubscriptionError."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise SubscriptionError(
            "target.secret: whsec_ and the base64 of 24 to 64 bytes; leave it out to "
            "get one made."
        )
    return secret


@dataclass(slots=True)
class WebhookSender:
    """Signs, sends, and reads answers."""

    outbound: Outbound
    clock: Callable[[], float] = time.time

    def send(
        self,
        target: Webhook,
        events: Sequence[Placed],
        *,
        message_id: str,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Outcome:
        """Make one attempt; it never raises for what a receiver does."""
        started = time.monotonic()
        body = _body(events)
        every = {**target.headers, **self._headers(target, message_id, body), **headers}
        every["Content-Type"] = MEDIA_CLOUDEVENT if len(events) == 1 else MEDIA_BATCH
        try:
            answer = self.outbound.post(target.url, body, every, timeout_s)
        except (AddressRefusedError, CallFailedError) as error:
            return Outcome(
                delivered=False, error=str(error), duration_ms=_since(started)
            )
        return self._outcome(answer, _since(started))

    def _headers(self, target: Webhook, message_id: str, body: bytes) -> dict[str, str]:
        from standardwebhooks.webhooks import Webhook as Signer

        now = datetime.fromtimestamp(int(self.clock()), UTC)
        text = body.decode()
        signatures = [
            Signer(secret).sign(message_id, now, text)
            for secret in target.valid_secrets(now.timestamp())
        ]
        return {
            "User-Agent": f"Eventyard/{VERSION}",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _outcome(self, answer: Answer, duration_ms: int) -> Outcome:
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004
            return Outcome(delivered=True, status=status, duration_ms=duration_ms)
        return Outcome(
            delivered=False,
            status=status,
            error=_meaning(answer),
            duration_ms=duration_ms,
            retry_after_s=self._retry_after(answer.headers.get("retry-after", "")),
        )

    def _retry_after(self, text: str) -> float:
        if _DIGITS.fullmatch(text.strip()):
            return min(float(text), _MOST_WAIT_S)
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return 0.0
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max(until.timestamp() - self.clock(), 0.0), _MOST_WAIT_S)


def _body(events: Sequence[Placed]) -> bytes:
    if len(events) == 1:
        return encode(events[0]).encode()
    return join(encode(placed) for placed in events).encode()


def _meaning(answer: Answer) -> str:
    if 300 <= answer.status < 400:  # noqa: PLR2004
        where = answer.headers.get("location", "nowhere")
        return f"a redirect to {where[:200]}; redirects are not followed"
    if answer.status == _GONE:
        return "410: the receiver wants nothing more"
    return f"the receiver answered {answer.status}"


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def preview(events: Sequence[Placed]) -> Any:
    """Return what a request would carry, for people to look at."""
    bodies = [cloud(placed) for placed in events]
    return bodies[0] if len(bodies) == 1 else bodies
