"""Rules of the gateway, pure."""
