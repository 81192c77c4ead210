"""A second file of this name; the ids tell them apart."""
bus.publish("from.other")
bus.publish("from.other")
