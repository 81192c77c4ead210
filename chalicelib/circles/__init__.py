"""Circles of agents: members, tasks, conflicts, and the history of all that."""
