"""Classes within classes and within functions."""


class Outer:
    def go(self, bus):
        bus.publish("from.outer")

    class Inner:
        def go(self, bus):
            bus.publish("from.inner")


def make():
    class Local:
        def go(self, bus):
            def deeper():
                bus.publish("from.local")

            return deeper

    return Local


bus.publish("from.module")
