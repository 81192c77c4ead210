class StockTaken:
    __event_annotation__ = "failed"


class _Private:
    pass
