"""What the ports are implemented with."""
