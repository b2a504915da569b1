"""Channels and the outbox."""
