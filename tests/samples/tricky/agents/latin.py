# -*- coding: latin-1 -*-
# café
bus.publish("latin.café")
