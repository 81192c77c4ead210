"""Calls over several lines, with comments within."""
from events.orders import order
from events.orders.order import (
    OrderPaid2 as Paid,
    OrderPlaced,
)


class Checkout:
    def __init__(self, service_bus):
        self.service_bus = service_bus
        self.service_bus.subscribe(
            # the class's own name
            OrderPlaced
            .__name__,
            self.handle,
        )

    def handle(self, event: OrderPlaced):
        self \
            .service_bus \
            .publish(Paid.__name__, Paid(), "checkout")
        (
            self.service_bus  # a comment with a ) in it
            .publish(
                order.PaymentFailed.__name__,
                event,
            )
        )
