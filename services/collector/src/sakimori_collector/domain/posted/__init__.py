"""What is posted or sent as documents: each of a protocol, made events."""
