# café, and no word of the encoding
bus.publish("never.decoded")
