"""The chat under load: a crowd that listens, one who floods, and what the gate costs."""
