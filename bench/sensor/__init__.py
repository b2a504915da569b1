"""Figures of the packet sensor, beside those of its peers over the same packets."""
