"""Rows with known sums, for the suites that run on PostgreSQL and on TimescaleDB."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

START = datetime(2026, 1, 16, 2, 0, tzinfo=UTC)
END = datetime(2026, 1, 16, 3, 0, tzinfo=UTC)
"""The time range that the panels are asked for."""

_ids = itertools.count(1)


async def add_events(
    store: Any,
    at: datetime,
    dataset: str,
    count: int,
    *,
    source: str | None = None,
    outcome: str = "success",
    severity: str = "info",
    host: str | None = None,
) -> None:
    """Add so many events within a second."""
    await store.executemany(
        "INSERT INTO collector.events (time, id, dataset, action, outcome, source_ip, severity, host, fields) "
        "VALUES ($1, $2, $3, 'seen', $4, $5, $6, $7, '{}')",
        [
            (at + timedelta(milliseconds=number), UUID(int=next(_ids)), dataset, outcome, source, severity, host)
            for number in range(count)
        ],
    )


async def add_log_source(store: Any, name: str, last_seen: datetime, lines: int, silent: datetime | None) -> None:
    """Add a source of logs and when it was last heard of."""
    await store.execute(
        "INSERT INTO collector.source_activity (source, first_seen_at, last_seen_at, lines, silent_at)"
        " VALUES ($1, $2, $2, $3, $4)",
        name,
        last_seen,
        lines,
        silent,
    )


async def add_finding(store: Any, identity: str, severity: str, at: datetime, status: str | None = None) -> None:
    """Add a finding of one event and, with `status`, what somebody said about it."""
    await store.execute(
        "INSERT INTO detector.findings (id, rule_id, title, message, severity, confidence, entity_type, entity, "
        "dataset, first_seen_at, last_seen_at, created_at, count, why, response) "
        "VALUES ($1, 'brute_force_attack', 'Guessing', 'Guessing by 203.0.113.42', $2, 0.9, 'source.ip', "
        "'203.0.113.42', 'openssh.auth', $3, $3, $3, 1, 'w', 'r')",
        identity,
        severity,
        at,
    )
    if status:
        await store.execute(
            "INSERT INTO gateway.triage (finding_id, status, changed_by) VALUES ($1, $2, 'alice')", identity, status
        )


async def add_delivery(store: Any, finding: str, channel: str, status: str, at: datetime) -> None:
    """Add a notice."""
    await store.execute(
        "INSERT INTO notifier.deliveries "
        "(finding_id, channel, status, created_at, delivered_at, suppression_key, payload) "
        "VALUES ($1, $2, $3::text, $4::timestamptz, CASE WHEN $3::text = 'sent' THEN $4::timestamptz END, 'key', '{}')",
        finding,
        channel,
        status,
        at,
    )


async def add_flow(store: Any, at: datetime, source: str, destination: str, **fields: str | bool | int) -> None:
    """Add a session of 100 bytes out and 900 back."""
    flow = {"destination.ip": destination, "source.bytes": 100, "destination.bytes": 900, "network.transport": "tcp"}
    await store.execute(
        "INSERT INTO collector.events (time, id, dataset, source_ip, fields) VALUES ($1, $2, 'network.flow', $3, $4)",
        at,
        UUID(int=next(_ids)),
        source,
        json.dumps(flow | fields),
    )


async def add_device(store: Any, mac: str, first_seen: datetime, kind: str, *, is_online: bool = True) -> None:
    """Add a device."""
    await store.execute(
        "INSERT INTO sensor.devices (mac, first_seen_at, last_seen_at, is_online, ip, hostname, vendor, is_random,"
        " type, probability, trust) VALUES ($1, $2, $2, $3, '192.0.2.7', 'here', 'Example', false, $4, 0.9, 0.5)",
        mac,
        first_seen,
        is_online,
        kind,
    )


async def seed(store: Any) -> None:
    """Fill the store with what the dashboard suite counts; all of it is from START to END but where it says so."""
    await _seed_events(store)
    await _seed_devices(store)
    await add_finding(store, "high-1", "high", START + timedelta(minutes=1))
    await add_finding(store, "high-2", "high", START + timedelta(minutes=3))
    await add_finding(store, "critical-seen", "critical", START + timedelta(minutes=4), "acknowledged")
    await add_finding(store, "low-1", "low", START + timedelta(minutes=7))
    await add_finding(store, "info-1", "info", START + timedelta(minutes=8))
    await add_finding(store, "medium-wrong", "medium", START + timedelta(minutes=9), "false_positive")
    now = await store.fetchval("SELECT now()")
    await add_finding(store, "medium-new", "medium", now)
    await add_finding(store, "critical-new", "critical", now)

    for finding, channel, status in (
        ("high-1", "slack", "sent"),
        ("high-1", "console", "sent"),
        ("high-2", "slack", "suppressed"),
        ("critical-seen", "slack", "sent"),
        ("critical-seen", "webhook", "dead"),
        ("low-1", "webhook", "pending"),
    ):
        await add_delivery(store, finding, channel, status, START + timedelta(minutes=10))
    await add_delivery(store, "medium-new", "slack", "sent", now)


async def _seed_events(store: Any) -> None:
    second_minute = START + timedelta(minutes=1)
    await add_events(store, START, "nginx.access", 120, source="203.0.113.42", outcome="failure")
    await add_events(store, second_minute, "nginx.access", 60, source="198.51.100.7", host="web-1")
    await add_events(
        store,
        second_minute,
        "openssh.auth",
        6,
        source="203.0.113.42",
        outcome="failure",
        severity="medium",
        host="web-1",
    )
    await add_events(store, second_minute, "network.flow", 30)
    await add_events(store, START - timedelta(days=1), "nginx.access", 7, source="192.0.2.9")

    await add_log_source(store, "http", START, 1000, None)
    await add_log_source(store, "web-1", START + timedelta(minutes=1), 20, None)
    await add_log_source(store, "web-2", START - timedelta(days=1), 7, START)

    third_minute = START + timedelta(minutes=2)
    state = "sakimori.flow.state"
    tls: dict[str, str | bool | int] = {"network.protocol": "tls", "sakimori.flow.is_encrypted": True, state: "closed"}
    await add_flow(store, third_minute, "192.0.2.7", "198.51.100.20", **tls)
    await add_flow(store, third_minute, "192.0.2.7", "198.51.100.20", **tls)
    refused: dict[str, str | bool | int] = {state: "attempted", "destination.bytes": 0}
    await add_flow(store, third_minute, "192.0.2.8", "192.0.2.7", **refused)


async def _seed_devices(store: Any) -> None:
    await add_device(store, "00-00-5E-00-53-01", START + timedelta(minutes=1), "camera")
    await add_device(store, "00-00-5E-00-53-02", START - timedelta(days=1), "camera", is_online=False)
    await add_device(store, "00-00-5E-00-53-03", START - timedelta(days=2), "printer")
