"""Every metric of the chat but those of bots (bots/metrics.py)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sakimori_common.bus.outbox import OutboxMetrics


class ChatMetrics:
    """What the chat counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests(registry)
        self._live(registry)
        self._output(registry)

    def _requests(self, registry: CollectorRegistry) -> None:
        self.posts_total = Counter(
            "sakimori_chat_posts_total",
            "Posts by outcome: posted, held, muted, or the code of the refusal.",
            ["outcome"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "sakimori_chat_request_seconds",
            "From a request's head to the end of its response.",
            ["route", "status"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5),
            registry=registry,
        )
        self.requests_shed_total = Counter(
            "sakimori_chat_requests_shed_total",
            "Requests that were refused at the door because their network asked for too many.",
            registry=registry,
        )
        self.decisions_enforced_total = Counter(
            "sakimori_chat_decisions_enforced_total",
            "Decisions by effect: block, throttle, lift, or why there was none: ignored, exempt, unsupported.",
            ["effect"],
            registry=registry,
        )

    def _live(self, registry: CollectorRegistry) -> None:
        self.live_connections = Gauge(
            "sakimori_chat_live_connections", "Browsers that listen by WebSocket.", registry=registry
        )
        self.live_refusals_total = Counter(
            "sakimori_chat_live_refusals_total",
            "WebSockets refused (before) or closed (after the handshake) for what the client did, by reason.",
            ["reason"],
            registry=registry,
        )
        self.live_frames_total = Counter(
            "sakimori_chat_live_frames_total", "Frames of news, one for each listener.", registry=registry
        )
        self.live_batch_messages = Histogram(
            "sakimori_chat_live_batch_messages",
            "Messages that shared one frame of news.",
            buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200, 500),
            registry=registry,
        )
        self.live_slow_total = Counter(
            "sakimori_chat_live_slow_total", "Listeners sent away because they did not keep up.", registry=registry
        )
        self.live_catch_ups_total = Counter(
            "sakimori_chat_live_catch_ups_total",
            "Times that a room was read again because something may have been missed.",
            registry=registry,
        )

    def _output(self, registry: CollectorRegistry) -> None:
        self.events_dropped_total = Counter(
            "sakimori_chat_events_dropped_total",
            "Events that were lost, by reason: spool_full, spool_error.",
            ["reason"],
            registry=registry,
        )
        self.events_spooled_total = Counter(
            "sakimori_chat_events_spooled_total",
            "Events that went to disk because the bus was away or slow.",
            registry=registry,
        )
        self.spool_bytes = Gauge("sakimori_chat_spool_bytes", "Bytes that wait on disk for the bus.", registry=registry)
        self.events_waiting = Gauge(
            "sakimori_chat_events_waiting", "Events in memory that wait for the bus.", registry=registry
        )

    @property
    def outbox(self) -> OutboxMetrics:
        """What the outbox counts."""
        return OutboxMetrics(
            self.events_dropped_total, self.events_spooled_total, self.spool_bytes, self.events_waiting
        )
