bus.publish("after.a.bom")

bus.publish("windows.lines")
