"""Decisions on PostgreSQL: all through the public view, operators' own in gateway.decisions."""

from typing import Any

from sakimori_api_gateway.adapters.postgres import (
    connection,
    instant,
    moment,
    optional_instant,
    transaction,
    write_entry,
)
from sakimori_api_gateway.domain.records import AuditEntry, RecordedDecision
from sakimori_common.context import Postgres
from sakimori_common.contracts import DecisionAction

_COLUMNS = """
    id, entity_type, entity, action, rule_id, finding_id, created_at, expires_at, origin, dry_run, reason"""
_ALL = f"SELECT {_COLUMNS}, lifted_at FROM public.decisions"
_INSERT = f"""
    INSERT INTO gateway.decisions ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""


class PostgresDecisionStore:
    """Decisions of the detector and of operators."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def active(self, entity_type: str | None = None) -> list[RecordedDecision]:
        """List the decisions in force, newest first, at most 10,000."""
        return await self._fetch(
            f"{_ALL} WHERE expires_at > now() AND lifted_at IS NULL AND ($1::text IS NULL OR entity_type = $1)"
            " ORDER BY created_at DESC, id DESC LIMIT 10000",
            entity_type,
        )

    async def recent(self, limit: int) -> list[RecordedDecision]:
        """List the latest decisions, in force or not."""
        return await self._fetch(f"{_ALL} ORDER BY created_at DESC, id DESC LIMIT $1", limit)

    async def find(self, decision_id: str) -> RecordedDecision | None:
        """Look up one decision."""
        found = await self._fetch(f"{_ALL} WHERE id = $1", decision_id)
        return found[0] if found else None

    async def following(self, finding_id: str) -> list[RecordedDecision]:
        """List the decisions that a finding is the reason of, newest first; the latest 1,000."""
        return await self._fetch(
            f"{_ALL} WHERE finding_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000", finding_id
        )

    async def add(self, decision: RecordedDecision, entry: AuditEntry) -> None:
        """Store an operator's decision, unpublished, with its audit entry."""
        async with transaction(self._postgres) as borrowed:
            await borrowed.execute(
                _INSERT,
                decision.id,
                decision.entity_type,
                decision.entity,
                decision.action,
                decision.rule_id,
                decision.finding_id,
                moment(decision.created_at),
                moment(decision.expires_at),
                decision.origin,
                decision.dry_run,
                decision.reason or "",
            )
            await write_entry(borrowed, entry)

    async def unpublished(self) -> list[RecordedDecision]:
        """List operators' decisions that the bus has yet to take, oldest first."""
        return await self._fetch(
            f"SELECT {_COLUMNS}, NULL::timestamptz AS lifted_at FROM gateway.decisions"
            " WHERE published_at IS NULL ORDER BY created_at, id LIMIT 1000"
        )

    async def mark_published(self, decision_id: str) -> None:
        """Note that the bus has a decision."""
        async with connection(self._postgres) as borrowed:
            await borrowed.execute("UPDATE gateway.decisions SET published_at = now() WHERE id = $1", decision_id)

    async def _fetch(self, sql: str, *values: Any) -> list[RecordedDecision]:
        async with connection(self._postgres) as borrowed:
            return [_decision(row) for row in await borrowed.fetch(sql, *values)]


def _decision(row: Any) -> RecordedDecision:
    return RecordedDecision(
        id=row["id"],
        entity_type=row["entity_type"],
        entity=row["entity"],
        action=DecisionAction(row["action"]),
        rule_id=row["rule_id"],
        finding_id=row["finding_id"],
        created_at=instant(row["created_at"]),
        expires_at=instant(row["expires_at"]),
        origin=row["origin"],
        dry_run=row["dry_run"],
        reason=row["reason"],
        lifted_at=optional_instant(row["lifted_at"]),
    )
