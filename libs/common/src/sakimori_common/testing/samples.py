"""Whole objects with literal values, so that a test states only what it is about."""

import msgspec

from sakimori_common.contracts import Evidence, Finding, Severity

BRUTE_FORCE = Finding(
    id="0b7f4e52-3c1d-8a60-9c55-2f60f1f3a001",
    rule_id="brute_force_attack",
    title="Password guessing on one account",
    message="ブルートフォース攻撃を検出: 203.0.113.42",
    severity=Severity.HIGH,
    confidence=0.9,
    entity_type="source.ip",
    entity="203.0.113.42",
    dataset="openssh.auth",
    first_seen_at="2026-01-16T02:00:00.000Z",
    last_seen_at="2026-01-16T02:04:00.000Z",
    created_at="2026-01-16T02:04:00.020Z",
    count=5,
    tactics=["credential-access"],
    techniques=["T1110.001"],
    evidence=Evidence(
        event_ids=["019bc4d8-3a00-7000-8000-000000000005"],
        fields={"user.name": "admin"},
        observed=5,
        threshold=5,
        window_seconds=300,
    ),
    why="A guessed password gives the attacker this account.",
    response="Check for a success after the failures; lock the account.",
    details={"ip": "203.0.113.42", "username": "admin", "failed_attempts": 5},
)


def finding(**changes: object) -> Finding:
    """Make a finding like BRUTE_FORCE with some values changed."""
    return msgspec.structs.replace(BRUTE_FORCE, **changes)
