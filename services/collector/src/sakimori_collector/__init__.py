"""Logs in, events out, every line accounted for.

Takes log lines from files and from `POST /ingest`, makes events of them and publishes them; keeps what it cannot read
with the reason; and, as the store worker, writes the events of all services to PostgreSQL. It concludes nothing from
what it reads: that is the detector's.
"""
