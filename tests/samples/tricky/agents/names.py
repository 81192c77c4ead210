"""Every form in which an event can be named."""
import topics as t
from topics import ALARM, EventType, Topics
from events.orders.order import OrderPaid2, OrderTurnedDown

LOCAL = "local.constant"
SEVERAL = ("several.a", "several.b")
HANDLERS = {"handlers.x": print, "handlers.y": print}


class Namer:
    KIND = "class.constant"

    def __init__(self, event_bus):
        self._event_bus = event_bus
        self.own = "instance.attribute"

    def all(self, bus, event, flag, number):
        bus.publish("plain.text")
        bus.publish(LOCAL)
        bus.publish(ALARM)
        bus.publish(t.ALARM)
        bus.publish(t.PREFIX)
        bus.publish(self.KIND)
        bus.publish(self.own)
        bus.publish(EventType.SHIPPED)
        bus.publish(EventType.SHIPPED.value)
        bus.publish(t.EventType.LOST)
        bus.publish(Foreign.MEMBER)
        bus.publish(Topics.Stock.LOW)
        bus.publish(Event(type="in.event"))
        bus.publish(Event("in.event.first", {}))
        bus.publish({"type": "in.a.dict", "payload": {}})
        bus.publish(event_name="by.event_name")
        bus.publish(topic="by.topic")
        bus.publish(payload={}, type="by.type")
        bus.publish(event=OrderTurnedDown())
        bus.publish(OrderPaid2.model_validate(event))
        bus.publish(f"order.{number}")
        bus.publish(f"{t.PREFIX}.{number}.done")
        bus.publish("plus." + str(number))
        bus.publish("percent.%s" % number)
        bus.publish("format.{}".format(number))
        bus.publish("either.a" if flag else "either.b")
        self._event_bus.publish_batch([Event("batch.a"), {"type": "batch.b"}])
        self._event_bus.publish_nowait("no.wait")
        event_bus().emit("emitted")
        get_event_bus().emit("emitted.by.getter")

    def typed(self, bus, event: OrderPaid2, other: "OrderTurnedDown | None"):
        bus.publish(type(event).__name__, event)
        bus.publish(event.__class__.__name__, event)
        bus.publish(type(other).__name__, other)
        made = OrderTurnedDown()
        bus.publish(type(made).__name__, made)
        bus.publish(made)

    def listen(self, bus):
        bus.subscribe(["list.a", "list.b"], print)
        for name in SEVERAL:
            bus.subscribe(name, print)
        for name, handler in HANDLERS.items():
            bus.subscribe(name, handler)
        [bus.subscribe(name, print) for name in Topics.ALL]
        for kind in (OrderPaid2, OrderTurnedDown):
            bus.subscribe(kind.__name__, print)
        bus.on_pattern("pattern.*.x", print)
        bus.subscribe("pattern.**", print)

    def unclear(self, bus, event, name):
        bus.publish(event)
        bus.publish(name)
        bus.publish(f"{name}.created")
        bus.subscribe(self.unknown.value, print)
