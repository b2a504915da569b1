"""From bytes to events, without input or output."""
