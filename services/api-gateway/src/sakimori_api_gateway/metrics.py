"""Metrics of the API gateway."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class GatewayMetrics:
    """What the gateway counts. `route` is the route's template, never a path that a client made up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests_total = Counter(
            "sakimori_gateway_requests_total",
            "Requests answered, by route, method and status.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "sakimori_gateway_request_seconds",
            "From a request's head to the end of its answer, by route.",
            ["route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
            registry=registry,
        )
        self.blocked_requests_total = Counter(
            "sakimori_gateway_blocked_requests_total", "Requests refused because of a decision.", registry=registry
        )
        self.blocked_addresses = Gauge(
            "sakimori_gateway_blocked_addresses", "Addresses locked out now.", registry=registry
        )
        self.logins_total = Counter(
            "sakimori_gateway_logins_total",
            "Logins by outcome: success, failure, limited.",
            ["outcome"],
            registry=registry,
        )
        self.login_events_lost_total = Counter(
            "sakimori_gateway_login_events_lost_total",
            "Login events given up because the bus was away for too long.",
            registry=registry,
        )
        self.live_clients = Gauge("sakimori_gateway_live_clients", "Clients of the live findings.", registry=registry)
        self.live_clients_dropped_total = Counter(
            "sakimori_gateway_live_clients_dropped_total", "Clients that read too slowly.", registry=registry
        )
        self.requests_shed_total = Counter(
            "sakimori_gateway_requests_shed_total",
            "Requests to the chat that were refused because their network asked for too many.",
            registry=registry,
        )
        self.tunnels = Gauge(
            "sakimori_gateway_tunnels", "WebSockets that are open through to the chat.", registry=registry
        )
        self.upstream_failures_total = Counter(
            "sakimori_gateway_upstream_failures_total",
            "Requests that a service behind the gateway did not answer.",
            ["upstream"],
            registry=registry,
        )
        self.triage_total = Counter(
            "sakimori_gateway_triage_total",
            "Changes of a finding's status, by the new one.",
            ["status"],
            registry=registry,
        )
