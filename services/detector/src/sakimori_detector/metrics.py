"""Metrics of the detector."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sakimori_common.instants import MICROSECONDS
from sakimori_detector.domain.intelligence.values import Kind


class DetectorMetrics:
    """What the detector counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events_evaluated_total = Counter(
            "sakimori_events_evaluated_total", "Events that the rules were asked about.", registry=registry
        )
        self.events_ahead_total = Counter(
            "sakimori_events_ahead_total",
            "Events over five minutes in the future, counted as of when they came.",
            registry=registry,
        )
        self.events_late_total = Counter(
            "sakimori_events_late_total",
            "Events older than the allowed lateness when they came: windows may have gone past them.",
            registry=registry,
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
        self.expressions_switched_off = Gauge(
            "sakimori_expressions_switched_off",
            "Expressions with look-around or back-references that took too long too often; their rules no longer fire.",
            registry=registry,
        )
        self.second_opinion_loaded = Gauge(
            "sakimori_second_opinion_loaded",
            "1 when the model of the second opinion on web payloads is in use, 0 when rules do without.",
            registry=registry,
        )
        self.event_to_finding_seconds = Histogram(
            "sakimori_event_to_finding_seconds",
            "From the time in the deciding event to its finding, for findings opened; clocks must agree.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
            registry=registry,
        )


class FeedMetrics:
    """What the detector counts of feeds of indicators."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.indicators = Gauge(
            "sakimori_indicators", "Indicators in use, by feed and type.", ["source", "type"], registry=registry
        )
        self.feed_entries_skipped = Gauge(
            "sakimori_feed_entries_skipped",
            "Entries of a feed's latest document that are not used: unreadable, refused, expired.",
            ["source"],
            registry=registry,
        )
        self.feed_refreshes_total = Counter(
            "sakimori_feed_refreshes_total",
            "Times that a feed was asked, by result (changed, unchanged, failed, refused).",
            ["source", "result"],
            registry=registry,
        )
        self.feed_confirmed_timestamp_seconds = Gauge(
            "sakimori_feed_confirmed_timestamp_seconds",
            "When a feed last gave or confirmed what is in use, in seconds since 1970.",
            ["source"],
            registry=registry,
        )

    def stocked(self, source: str, counts: Mapping[Kind, int], skipped: int) -> None:
        """Show what a feed's document came to."""
        for kind, count in counts.items():
            self.indicators.labels(source, kind).set(count)
        self.feed_entries_skipped.labels(source).set(skipped)

    def feed_confirmed(self, source: str, at: int) -> None:
        """Show when a feed was heard of, in microseconds since the epoch."""
        self.feed_confirmed_timestamp_seconds.labels(source).set(at / MICROSECONDS)

    def forget_feed(self, source: str) -> None:
        """Show nothing more of a feed that is gone."""
        for gauge in (self.indicators, self.feed_entries_skipped, self.feed_confirmed_timestamp_seconds):
            gauge.remove_by_labels({"source": source})
