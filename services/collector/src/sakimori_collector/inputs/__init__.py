"""Ways in, one file each; every one is an Input (ports.py)."""
