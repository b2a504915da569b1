"""Devices: who is on the network, what they are, and how far to trust them. Events in, events out (registry.py).

Nothing here imports the compiled part of the sensor, so that others can read records and score trust at no cost.
"""
