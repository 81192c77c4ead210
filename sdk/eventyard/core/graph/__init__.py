"""Event-flow graphs: their model, how they are drawn, and what can be asked of them."""
