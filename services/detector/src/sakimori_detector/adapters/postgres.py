"""Findings and decisions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from sakimori_common.context import Postgres
from sakimori_common.contracts import Decision, Finding
from sakimori_common.instants import format_instant, parse_instant, to_datetime, to_microseconds
from sakimori_common.postgres import CONNECTION_ERRORS, unavailable
from sakimori_detector.ports import Replaced

_FINDING = """
INSERT INTO detector.findings AS kept (
  id, rule_id, title, message, severity, confidence, entity_type, entity, dataset, first_seen_at, last_seen_at,
  created_at, count, tactics, techniques, evidence, why, response, details, trace_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::text::jsonb, $17, $18,
  $19::text::jsonb, $20)
ON CONFLICT (id) DO UPDATE SET
  count = greatest(kept.count, excluded.count),
  first_seen_at = least(kept.first_seen_at, excluded.first_seen_at),
  last_seen_at = greatest(kept.last_seen_at, excluded.last_seen_at),
  message = CASE WHEN excluded.count > kept.count THEN excluded.message ELSE kept.message END,
  evidence = CASE WHEN excluded.count > kept.count THEN excluded.evidence ELSE kept.evidence END,
  details = CASE WHEN excluded.count > kept.count THEN excluded.details ELSE kept.details END,
  trace_id = coalesce(kept.trace_id, excluded.trace_id),
  updated_at = now()
RETURNING created_at, trace_id
"""
_DECISION = """
INSERT INTO detector.decisions (
  id, entity_type, entity, action, rule_id, finding_id, created_at, expires_at, origin, dry_run
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO NOTHING
"""

_REPLACED = """
INSERT INTO detector.findings AS kept (
  id, rule_id, title, message, severity, confidence, entity_type, entity, dataset, first_seen_at, last_seen_at,
  created_at, count, tactics, techniques, evidence, why, response, details, trace_id, replaced_until
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::text::jsonb, $17, $18,
  $19::text::jsonb, $20, $21)
ON CONFLICT (id) DO UPDATE SET replaced_until = greatest(kept.replaced_until, excluded.replaced_until)
"""


class PostgresFindings:
    """Implements `ports.FindingStore`."""

    def __init__(self, pool: Postgres) -> None:
        self._pool = pool

    async def store(
        self, findings: Sequence[Finding], decisions: Sequence[Decision], replaced: Sequence[Replaced] = ()
    ) -> list[Finding]:
        """See `ports.FindingStore.store`. Rows are written in the order of their ids, lest replicas lock each other."""
        by_id = sorted(findings, key=lambda finding: (finding.id, finding.count))
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                kept = await connection.fetchmany(_FINDING, [_finding_row(finding) for finding in by_id])
                if replaced:
                    rows = [_replaced_row(each) for each in sorted(replaced, key=lambda each: each.id)]
                    await connection.executemany(_REPLACED, rows)
                if decisions:
                    ordered = sorted(decisions, key=lambda decision: decision.id)
                    await connection.executemany(_DECISION, [_decision_row(decision) for decision in ordered])
        except (*CONNECTION_ERRORS, asyncpg.DeadlockDetectedError) as error:  # rows of two kinds have no common order
            raise unavailable(error) from error
        stored = {finding.id: row for finding, row in zip(by_id, kept, strict=True)}
        return [_as_kept(finding, stored[finding.id]) for finding in findings]


def _as_kept(finding: Finding, row: Any) -> Finding:
    created_at = format_instant(to_microseconds(row["created_at"]))
    return msgspec.structs.replace(finding, created_at=created_at, trace_id=row["trace_id"])


def _finding_row(finding: Finding) -> tuple[Any, ...]:
    return (
        finding.id,
        finding.rule_id,
        finding.title,
        finding.message,
        finding.severity,
        finding.confidence,
        finding.entity_type,
        finding.entity,
        finding.dataset,
        _instant(finding.first_seen_at),
        _instant(finding.last_seen_at),
        _instant(finding.created_at),
        finding.count,
        finding.tactics,
        finding.techniques,
        msgspec.json.encode(finding.evidence).decode(),
        finding.why,
        finding.response,
        msgspec.json.encode(finding.details).decode(),
        finding.trace_id,
    )


def _replaced_row(replaced: Replaced) -> tuple[Any, ...]:
    row = _finding_row(msgspec.structs.replace(replaced.by, id=replaced.id))
    return (*row, to_datetime(replaced.until))


def _decision_row(decision: Decision) -> tuple[Any, ...]:
    return (
        decision.id,
        decision.entity_type,
        decision.entity,
        decision.action,
        decision.rule_id,
        decision.finding_id,
        _instant(decision.created_at),
        _instant(decision.expires_at),
        decision.origin,
        decision.dry_run,
    )


def _instant(text: str) -> datetime:
    return to_datetime(parse_instant(text))
