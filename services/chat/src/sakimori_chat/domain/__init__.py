"""What the chat decides, without input or output."""
