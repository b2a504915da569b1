"""Findings and their triage on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sakimori_api_gateway.adapters.finding_query import FROM, ORDER, where
from sakimori_api_gateway.adapters.postgres import (
    connection,
    instant,
    moment,
    optional_instant,
    transaction,
    write_entry,
)
from sakimori_api_gateway.domain.records import (
    AuditEntry,
    Delivery,
    FindingQuery,
    FindingStats,
    Triage,
    TriagedFinding,
)
from sakimori_api_gateway.domain.triage import check_transition
from sakimori_api_gateway.ports import NotFound
from sakimori_common.context import Postgres
from sakimori_common.contracts import Evidence, FindingStatus, Severity

_COLUMNS = """
    id, rule_id, title, message, severity, confidence, entity_type, entity, dataset, first_seen_at, last_seen_at,
    created_at, count, tactics, techniques, evidence, why, response, details, trace_id, status, due_at, changed_by,
    changed_at, note"""
_EVIDENCE = msgspec.json.Decoder(Evidence)


class PostgresFindingStore:
    """Findings from public.triaged_findings; triage in gateway.triage."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def page(self, query: FindingQuery) -> list[TriagedFinding]:
        """List up to `query.limit` findings in its order."""
        condition, values = where(query, with_cursor=True)
        sql = f"SELECT {_COLUMNS} {FROM} WHERE {condition} ORDER BY {ORDER[query.sort]} LIMIT {int(query.limit)}"
        async with connection(self._postgres) as borrowed:
            return [_finding(row) for row in await borrowed.fetch(sql, *values)]

    async def total(self, query: FindingQuery) -> int:
        """Count what the query's filters match."""
        condition, values = where(query, with_cursor=False)
        async with connection(self._postgres) as borrowed:
            return int(await borrowed.fetchval(f"SELECT count(*) {FROM} WHERE {condition}", *values))

    async def find(self, finding_id: str) -> TriagedFinding | None:
        """Look up one finding."""
        async with connection(self._postgres) as borrowed:
            return await _find(borrowed, finding_id)

    async def deliveries(self, finding_id: str) -> list[Delivery]:
        """List what the notifier sent about a finding, in the order it was taken up; the first 1,000."""
        async with connection(self._postgres) as borrowed:
            rows = await borrowed.fetch(
                "SELECT channel, reminder, status, attempts, last_error, created_at, delivered_at"
                " FROM public.deliveries WHERE finding_id = $1 ORDER BY created_at, id LIMIT 1000",
                finding_id,
            )
        return [_delivery(row) for row in rows]

    async def stats(self) -> FindingStats:
        """Count findings by severity and status, those overdue, and false positives by rule."""
        async with connection(self._postgres) as borrowed:
            counts = await borrowed.fetch(f"SELECT severity, status, count(*) AS n {FROM} GROUP BY 1, 2")
            overdue = await borrowed.fetchval(f"SELECT count(*) {FROM} WHERE status = 'open' AND due_at <= now()")
            wrong = await borrowed.fetch(
                f"SELECT rule_id, count(*) AS n {FROM} WHERE status = 'false_positive' GROUP BY 1 ORDER BY 2 DESC, 1"
            )
        return FindingStats(
            by_severity={s.value: sum(r["n"] for r in counts if r["severity"] == s) for s in reversed(Severity)},
            by_status={s.value: sum(r["n"] for r in counts if r["status"] == s) for s in FindingStatus},
            overdue=overdue,
            false_positives={row["rule_id"]: row["n"] for row in wrong},
        )

    async def statuses(self, finding_ids: Sequence[str]) -> dict[str, FindingStatus]:
        """Look up the status of those findings that somebody has triaged."""
        async with connection(self._postgres) as borrowed:
            rows = await borrowed.fetch(
                "SELECT finding_id, status FROM gateway.triage WHERE finding_id = ANY($1)", list(finding_ids)
            )
        return {row["finding_id"]: FindingStatus(row["status"]) for row in rows}

    async def change_status(
        self, finding_id: str, status: FindingStatus, note: str | None, entry: AuditEntry
    ) -> TriagedFinding:
        """Change a status with its audit entry. Raises NotFound, or TriageConflict where the state machine says no."""
        async with transaction(self._postgres) as borrowed:
            if not await borrowed.fetchval("SELECT EXISTS (SELECT FROM public.findings WHERE id = $1)", finding_id):
                raise NotFound(f"there is no finding {finding_id}")
            current = await _locked_status(borrowed, finding_id, entry)
            check_transition(current, status)
            await borrowed.execute(
                "UPDATE gateway.triage SET status = $2, changed_by = $3, changed_at = $4, note = $5"
                " WHERE finding_id = $1",
                finding_id,
                status,
                entry.actor,
                moment(entry.at),
                note,
            )
            new = {"status": status.value} | ({"note": note} if note else {})
            await write_entry(borrowed, msgspec.structs.replace(entry, old={"status": current.value}, new=new))
            changed = await _find(borrowed, finding_id)
            if changed is None:
                raise NotFound(f"there is no finding {finding_id}")
            return changed


async def _locked_status(borrowed: Any, finding_id: str, entry: AuditEntry) -> FindingStatus:
    """Read the status with the row locked until the transaction ends, so two operators cannot both resolve."""
    await borrowed.execute(
        "INSERT INTO gateway.triage (finding_id, status, changed_by, changed_at) VALUES ($1, 'open', $2, $3)"
        " ON CONFLICT (finding_id) DO NOTHING",
        finding_id,
        entry.actor,
        moment(entry.at),
    )
    return FindingStatus(
        await borrowed.fetchval("SELECT status FROM gateway.triage WHERE finding_id = $1 FOR UPDATE", finding_id)
    )


async def _find(borrowed: Any, finding_id: str) -> TriagedFinding | None:
    row = await borrowed.fetchrow(f"SELECT {_COLUMNS} {FROM} WHERE id = $1", finding_id)
    return None if row is None else _finding(row)


def _finding(row: Any) -> TriagedFinding:
    triage = None
    if row["changed_by"] is not None:
        triage = Triage(changed_by=row["changed_by"], changed_at=instant(row["changed_at"]), note=row["note"])
    return TriagedFinding(
        id=row["id"],
        rule_id=row["rule_id"],
        title=row["title"],
        message=row["message"],
        severity=Severity(row["severity"]),
        confidence=row["confidence"],
        entity_type=row["entity_type"],
        entity=row["entity"],
        dataset=row["dataset"],
        first_seen_at=instant(row["first_seen_at"]),
        last_seen_at=instant(row["last_seen_at"]),
        created_at=instant(row["created_at"]),
        count=row["count"],
        tactics=row["tactics"],
        techniques=row["techniques"],
        evidence=_EVIDENCE.decode(row["evidence"]),
        why=row["why"],
        response=row["response"],
        details=msgspec.json.decode(row["details"]),
        trace_id=row["trace_id"],
        status=FindingStatus(row["status"]),
        due_at=optional_instant(row["due_at"]),
        triage=triage,
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        channel=row["channel"],
        reminder=row["reminder"],
        status=row["status"],
        attempts=row["attempts"],
        last_error=row["last_error"],
        created_at=instant(row["created_at"]),
        delivered_at=optional_instant(row["delivered_at"]),
    )
