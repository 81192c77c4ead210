bus.publish("plain.text")
