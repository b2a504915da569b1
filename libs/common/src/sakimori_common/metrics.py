"""Metrics that several services have; those of one service stand in its own metrics.py."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class PublisherMetrics:
    """What a publisher of batches counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events_published_total = Counter(
            "sakimori_events_published_total",
            "Events that the bus confirmed, by dataset.",
            ["dataset"],
            registry=registry,
        )
        self.publish_failures_total = Counter(
            "sakimori_publish_failures_total", "Batches that the bus did not confirm in time.", registry=registry
        )
        self.publish_seconds = Histogram(
            "sakimori_publish_seconds",
            "From handing a batch to the bus to its confirmation.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10),
            registry=registry,
        )
