"""Every metric of the collector beside the publisher's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class CollectorMetrics:
    """What the collector counts.

    For every source, always: received = published + rejected + spooled + dropped. Lines, not events: a line "message
    repeated 3 times" is one line and three events. Lines of requests that were answered 503 count as refused only.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lines_received_total = self._lines(registry, "received", "Lines taken in.")
        self.lines_published_total = self._lines(registry, "published", "Lines whose events the bus confirmed.")
        self.lines_rejected_total = self._lines(registry, "rejected", "Lines that became no event and were kept.")
        self.lines_dropped_total = self._lines(registry, "dropped", "Lines lost for want of room, or unwanted.")
        self.lines_spooled = Gauge(
            "sakimori_collector_lines_spooled",
            "Lines that wait on disk now, until the bus or the database is back.",
            ["source"],
            registry=registry,
        )
        self.lines_refused_total = self._lines(registry, "refused", "Lines of requests that were answered 503.")
        self.input_stalls_total = Counter(
            "sakimori_collector_input_stalls_total",
            "Times a file's reading had to wait for the bus or the database.",
            ["source"],
            registry=registry,
        )
        self.peers_refused_total = Counter(
            "sakimori_collector_peers_refused_total",
            "Connections and datagrams that were not let in, by reason: network, connections, tls.",
            ["source", "reason"],
            registry=registry,
        )
        self.connections = Gauge(
            "sakimori_collector_connections", "Connections that are open now.", ["source"], registry=registry
        )
        self.connections_broken_total = Counter(
            "sakimori_collector_connections_broken_total",
            "Connections that were closed on our side, by reason: idle, half_message, framing.",
            ["source", "reason"],
            registry=registry,
        )
        self.datagrams_lost_total = Counter(
            "sakimori_collector_datagrams_lost_total",
            "Datagrams that the kernel dropped since its buffer was full; they were never received.",
            ["source"],
            registry=registry,
        )
        self.events_stored_total = Counter(
            "sakimori_collector_events_stored_total", "Events written to the database.", registry=registry
        )
        self.events_repeated_total = Counter(
            "sakimori_collector_events_repeated_total", "Events that were in the database already.", registry=registry
        )
        self.store_seconds = Histogram(
            "sakimori_collector_store_seconds",
            "From a group of batches to its commit.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=registry,
        )

    @staticmethod
    def _lines(registry: CollectorRegistry, what: str, help: str) -> Counter:
        return Counter(f"sakimori_collector_lines_{what}_total", help, ["source"], registry=registry)
