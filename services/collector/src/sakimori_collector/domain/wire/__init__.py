"""Bytes of a protocol to the messages in them, and who may send how many."""
