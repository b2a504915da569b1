"""The event store: how fast it writes beside a bare COPY, and how long searches take as it grows."""
