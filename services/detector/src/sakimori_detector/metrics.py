"""Metrics of the detector."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class DetectorMetrics:
    """What the detector counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events_evaluated_total = Counter(
            "sakimori_events_evaluated_total", "Events that the rules were asked about.", registry=registry
        )
        self.findings_total = Counter(
            "sakimori_findings_total", "Findings opened, by rule and severity.", ["rule", "severity"], registry=registry
        )
        self.finding_updates_total = Counter(
            "sakimori_finding_updates_total", "Findings that took in more, by rule.", ["rule"], registry=registry
        )
        self.decisions_total = Counter(
            "sakimori_decisions_total",
            "Decisions, by action and mode (live, dry_run).",
            ["action", "mode"],
            registry=registry,
        )
        self.decisions_withheld_total = Counter(
            "sakimori_decisions_withheld_total", "Decisions not taken for the allow-list.", registry=registry
        )
        self.rules_loaded = Gauge("sakimori_rules_loaded", "Rules in use.", registry=registry)
        self.rule_problems = Gauge("sakimori_rule_problems", "Mistakes in the rules' folder.", registry=registry)
        self.event_to_finding_seconds = Histogram(
            "sakimori_event_to_finding_seconds",
            "From the time in the deciding event to its finding, for findings opened; clocks must agree.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
            registry=registry,
        )
