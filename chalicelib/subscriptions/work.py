"""The work of the delivery queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.aws import Item
from chalicelib.subscriptions.courier import Courier, Parcel
from chalicelib.subscriptions.delivery import Deliverer
from chalicelib.subscriptions.ordered import OrderedGroups
from chalicelib.telemetry import log_error
from eventyard.core.errors import EventRouterError
from eventyard.core.wire import loads

_QUEUE: Final = "deliveries"


@dataclass(slots=True)
class DeliveryWork:
    """Takes parcels off the queues; one that fails never holds up the others."""

    deliverer: Deliverer
    groups: OrderedGroups
    courier: Courier
    #: Puts a message aside with the reason: queue, body, reason.
    bury: Callable[[str, str, str], None]

    def handle(self, event: Item) -> Item:
        """Deliver a batch of a queue; returns Lambda's partial batch response."""
        read = [(r["messageId"], self._read(r)) for r in event["Records"]]
        parcels = [(one, parcel) for one, parcel in read if parcel is not None]
        loose = [(one, parcel) for one, parcel in parcels if parcel.group is None]
        failed = self._deliver(loose)
        failed += [
            message_id
            for message_id, parcel in parcels
            if parcel.group is not None and not self._drain(message_id, parcel)
        ]
        self.deliverer.tally.flush()
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    def _read(self, record: Item) -> Parcel | None:
        try:
            return Parcel.from_dict(loads(record["body"]))
        except (EventRouterError, LookupError, ValueError, TypeError) as error:
            log_error("a parcel cannot be read", error, message_id=record["messageId"])
            self.bury(_QUEUE, record["body"], f"{type(error).__name__}: {error}")
            return None

    def _deliver(self, loose: Sequence[tuple[str, Parcel]]) -> list[str]:
        if not loose:
            return []
        try:
            self.deliverer.deliver([parcel for _, parcel in loose])
        except Exception as error:  # noqa: BLE001 - whatever it was, it comes again
            log_error("parcels were not delivered", error, messages=len(loose))
            if len(loose) == 1:
                return [loose[0][0]]
            # One of them may be at fault: each by itself, so that it fails alone.
            return [one for each in loose for one in self._deliver([each])]
        return []

    def _drain(self, message_id: str, parcel: Parcel) -> bool:
        try:
            self.groups.drain(parcel)
        except Exception as error:  # noqa: BLE001 - whatever it was, it comes again
            log_error("a group was not delivered", error, message_id=message_id)
            return False
        return True

    def put_off_until_now(self, ref: Item) -> None:
        """Send on what the agenda kept for a parcel whose time has come."""
        self.courier.send([Parcel.from_dict(loads(ref["parcel"]))])
