"""Metrics of the notifier."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class NotifierMetrics:
    """What the notifier counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.notices_total = Counter(
            "sakimori_notices_total",
            "Notices by what became of them (queued, suppressed).",
            ["outcome"],
            registry=registry,
        )
        self.deliveries_total = Counter(
            "sakimori_deliveries_total",
            "Tries to deliver, by channel and outcome (sent, failed, dead).",
            ["channel", "outcome"],
            registry=registry,
        )
        self.delivery_seconds = Histogram(
            "sakimori_delivery_seconds",
            "How long a receiver took to take a notice.",
            ["channel"],
            buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
