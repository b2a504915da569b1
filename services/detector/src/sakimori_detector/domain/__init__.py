"""What the detector knows, without any input or output."""
