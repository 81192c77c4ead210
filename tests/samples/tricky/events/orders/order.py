"""Events of orders."""
from dataclasses import dataclass

from marks import rejected  # never there: nothing of this is imported


@dataclass
class OrderPlaced:
    order: int


class OrderPaid2:  # digits are fine
    pass


@rejected
class OrderTurnedDown:
    pass


class PaymentFailed:
    class Reason:  # not an event of its own
        pass
