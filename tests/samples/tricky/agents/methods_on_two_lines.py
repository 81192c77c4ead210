from events.stock.deep.stock import *

bus.publish(
    StockTaken.__name__
); bus.publish(StockTaken.__name__)
