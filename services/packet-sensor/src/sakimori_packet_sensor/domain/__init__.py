"""The sensor itself, pure: bytes of a capture in, events out."""
