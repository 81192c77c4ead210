def broken(:
    bus.publish("never.seen")
