"""The one door: operators' API and live findings, blocks at the edge, proxy to chat, collector and packet-sensor.

Owns users, triage, operators' decisions and the audit. Does not detect, does not notify, and keeps no copy of what
others own: findings and decisions are read through the public views.
"""
