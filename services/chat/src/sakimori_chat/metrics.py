"""Every metric of the chat."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sakimori_chat.domain.bots.occurrences import BotAction
from sakimori_chat.domain.bots.refusals import BotRefusal

AUTH_FAILURES = frozenset({BotAction.HMAC_FAILED, BotAction.REPLAY_REFUSED, BotAction.UNAUTHORIZED})
"""What bot_auth_failures counts, too (rules/bot)."""


class ChatMetrics:
    """What the chat counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
        self.events_dropped_total = Counter(
            "sakimori_chat_events_dropped_total",
            "Events that were lost, by reason: queue_full, spool_full, spool_error.",
            ["reason"],
            registry=registry,
        )
        self.events_spooled_total = Counter(
            "sakimori_chat_events_spooled_total",
            "Events that went to disk because the bus was away.",
            registry=registry,
        )
        self.spool_bytes = Gauge("sakimori_chat_spool_bytes", "Bytes that wait on disk for the bus.", registry=registry)
        self.events_waiting = Gauge(
            "sakimori_chat_events_waiting", "Events in memory that wait for the bus.", registry=registry
        )

    def measure_outbox(self, spool_bytes: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Read the outbox's fill whenever metrics are asked for."""
        self.spool_bytes.set_function(spool_bytes)
        self.events_waiting.set_function(waiting)


class BotMetrics:
    """What is counted of bots."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.auth_failures_total = Counter(
            "sakimori_bot_auth_failures_total",
            "Requests and handshakes that no bot proved or that no bot may make, by code of the refusal.",
            ["reason"],
            registry=registry,
        )
        self.rate_limit_hits_total = Counter(
            "sakimori_bot_rate_limit_hits_total",
            "Refusals for a limit, by period (minute, hour, day) and scope (bot, address).",
            ["period", "scope"],
            registry=registry,
        )
        self.refusals_total = Counter(
            "sakimori_bot_refusals_total", "All that bots were refused, by code.", ["code"], registry=registry
        )
        self.message_processing_seconds = Histogram(
            "sakimori_bot_message_processing_duration_seconds",
            "From an admitted message of a bot to its number in the room.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
            registry=registry,
        )
        self.active_connections = Gauge(
            "sakimori_bot_active_connections",
            "Connections of bots, by transport: websocket, tcp.",
            ["transport"],
            registry=registry,
        )
        for transport in ("websocket", "tcp"):
            self.active_connections.labels(transport)
        self.registry_age_seconds = Gauge(
            "sakimori_bot_registry_age_seconds",
            "Since the registry was last read; from 5 s on no bot is let in.",
            registry=registry,
        )
        self.pending = Gauge("sakimori_bot_pending", "Bots that wait for an operator.", registry=registry)

    def count_refusal(self, refusal: BotRefusal) -> None:
        """Count a refusal, once for what it is and once for what it is about."""
        self.refusals_total.labels(refusal.code).inc()
        if refusal.action in AUTH_FAILURES:
            self.auth_failures_total.labels(refusal.code).inc()
        elif refusal.action is BotAction.RATE_LIMIT_HIT:
            period, scope = (str(refusal.details.get(name, "")) for name in ("bot.limit_period", "bot.limit_scope"))
            self.rate_limit_hits_total.labels(period, scope).inc()
