"""Memories of agents, and knowledge: rows in the table, vectors in segments beside it."""
