"""Senders of webhooks: who they are, how they sign, what their deliveries become."""
