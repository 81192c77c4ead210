"""Job services: what people submit, queues, workers, results."""
