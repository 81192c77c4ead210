"""Names; nothing is published or listened to here."""
from enum import Enum, auto


class EventType(str, Enum):
    SHIPPED = "order.shipped"
    LOST = auto()


class Topics:
    class Stock:
        LOW = "stock.low"

    ALL = ["topics.one", "topics.two"]


PREFIX = "audit"
ALARM = PREFIX + ".alarm"
