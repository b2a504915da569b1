"""Packets in; flows, DNS messages and device sightings out, as events.

Reads captures (uploads, a watched folder, and `sakimori pcap` with the same code), decodes them, keeps the flow table
and publishes what comes of it. Judging what it sees is the detector's work; storing it is the collector's.
"""
