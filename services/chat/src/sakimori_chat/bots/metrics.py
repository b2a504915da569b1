"""Every metric of bots."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sakimori_chat.bots.domain.occurrences import BotAction
from sakimori_chat.bots.domain.refusals import BotRefusal

AUTH_FAILURES = frozenset({BotAction.HMAC_FAILED, BotAction.REPLAY_REFUSED, BotAction.UNAUTHORIZED})
"""What bot_auth_failures counts, too (rules/bot)."""


class BotMetrics:
    """What is counted of bots."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests(registry)
        self._standing(registry)

    def _requests(self, registry: CollectorRegistry) -> None:
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

    def _standing(self, registry: CollectorRegistry) -> None:
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
