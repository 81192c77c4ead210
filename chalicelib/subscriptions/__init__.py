"""Subscriptions: who wants which events, and how they get them, for certain."""
