"""What only looks like a call: self.service_bus.publish(InTheDocstring.__name__)."""

# self.service_bus.publish(CommentedOut.__name__)
TEXT = 'self.service_bus.publish("in.a.string")'
RAW = r"""
bus.subscribe("in.a.raw.string", None)
"""
REFERENCE = "bus.publish"


class Quiet:
    def go(self, bus, numbers, page):
        method = bus.publish  # not called
        bus.publisher_count(method)
        numbers.publish("not.a.bus")
        page.on("click", method)
        bus.republish("not.that.method")
        publish("no.receiver")
        bus["publish"]("subscripted")
