"""Pull requests: what GitHub tells, their state, what is made of it."""
