"""Metrics that several services have; those of one service stand in its own metrics.py."""

from dataclasses import dataclass

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


class ConsumerMetrics:
    """What the consumers of a service count, by queue. Make one a service and pass it to every `Bus.consume`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"sakimori_messages_{name}_total", text, ["queue"], registry=registry)

        self.handled = counter("handled", "Messages (batches) whose handler returned.")
        self.retried = counter("retried", "Times that a message was put aside to be handled again.")
        self.dead = counter("dead", "Messages that went to the dead letters.")
        self.waits = counter("waits", "Times that a consumer waited for a dependency that was away.")
        self.seconds = Histogram(
            "sakimori_handler_seconds",
            "Time in the handler, one group of messages.",
            ["queue"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10),
            registry=registry,
        )

    def of(self, queue: str) -> "QueueMetrics":
        """Pick the series of one queue, so that they exist (as 0) before anything happens."""
        return QueueMetrics(
            handled=self.handled.labels(queue),
            retried=self.retried.labels(queue),
            dead=self.dead.labels(queue),
            waits=self.waits.labels(queue),
            seconds=self.seconds.labels(queue),
        )


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """The series of one queue."""

    handled: Counter
    retried: Counter
    dead: Counter
    waits: Counter
    seconds: Histogram
