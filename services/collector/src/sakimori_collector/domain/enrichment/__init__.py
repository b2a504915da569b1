"""What is known of the addresses, hosts and agents in an event beside what its line says.

What the line itself says is never changed: a field that is there stays, but for those under `sakimori.`, which are
ours.
"""
