"""What the migrations promise on every server; one suite for PostgreSQL and TimescaleDB."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from sakimori_common.contracts import FindingStatus, Severity
from sakimori_common.postgres import migrate, migrations
from store_suite.seed import START, add_delivery, add_events, add_finding

VIEWS = {
    "events", "events_per_minute", "findings", "decisions", "deliveries", "triaged_findings",
    "devices", "device_addresses", "device_hours", "sessions", "session_ends",
    "severities_per_minute", "events_per_hour", "sources_per_hour", "source_activity",
    "kb_bot_devices", "kb_chat_logs", "kb_connection_logs", "kb_query_logs", "kb_suspicious_activities",
    "v_daily_security_report", "v_hourly_activity_pattern", "v_ip_connection_attempts", "v_bot_dashboard",
}  # fmt: skip
OWNERS = ("collector", "detector", "notifier", "gateway", "sensor", "chat")


class SchemaSuite:
    """Needs the fixture `store`: a connection to a migrated database with nothing in it."""

    async def test_a_second_migration_changes_nothing(self, store: Any) -> None:
        assert await migrate(store) == []
        assert await store.fetchval("SELECT count(*) FROM public.schema_migrations") == len(migrations())

    async def test_a_redelivered_event_is_one_row(self, store: Any) -> None:
        insert = (
            "INSERT INTO collector.events (time, id, dataset, fields) VALUES ($1, $2, 'nginx.access', '{}') "
            "ON CONFLICT DO NOTHING"
        )
        for _ in range(2):
            await store.execute(insert, START, "0198d3a0-0000-7000-8000-000000000001")
        assert await store.fetchval("SELECT count(*) FROM public.events") == 1

    async def test_events_are_counted_by_minute_and_dataset(self, store: Any) -> None:
        await add_events(store, START, "nginx.access", 2)
        await add_events(store, START + timedelta(seconds=59), "nginx.access", 1)
        await add_events(store, START + timedelta(seconds=60), "nginx.access", 1)
        await add_events(store, START, "openssh.auth", 1)
        rows = await store.fetch("SELECT bucket, dataset, events FROM public.events_per_minute ORDER BY 1, 2")
        assert [tuple(row) for row in rows] == [
            (START, "nginx.access", 3),
            (START, "openssh.auth", 1),
            (START + timedelta(minutes=1), "nginx.access", 1),
        ]

    @pytest.mark.parametrize("severity", Severity)
    async def test_a_finding_is_due_as_its_severity_says(self, store: Any, severity: Severity) -> None:
        await add_finding(store, "f", severity.value, START)
        seconds = severity.response_seconds
        expected = None if seconds is None else START + timedelta(seconds=seconds)
        row = await store.fetchrow("SELECT status, due_at FROM public.triaged_findings")
        assert tuple(row) == ("open", expected)

    @pytest.mark.parametrize("status", FindingStatus)
    async def test_triage_decides_the_status(self, store: Any, status: FindingStatus) -> None:
        await add_finding(store, "f", "high", START, status.value)
        row = await store.fetchrow("SELECT status, changed_by FROM public.triaged_findings")
        assert tuple(row) == (status.value, "alice")

    async def test_a_finding_makes_one_notice_a_channel(self, store: Any) -> None:
        await add_delivery(store, "f", "slack", "pending", START)
        await add_delivery(store, "f", "discord", "pending", START)
        with pytest.raises(asyncpg.UniqueViolationError):
            await add_delivery(store, "f", "slack", "pending", START)

    @pytest.mark.parametrize(
        "change", ["UPDATE gateway.audit SET actor = 'mallory'", "DELETE FROM gateway.audit", "TRUNCATE gateway.audit"]
    )
    async def test_the_audit_trail_can_only_grow(self, store: Any, change: str) -> None:
        await store.execute("INSERT INTO gateway.audit (actor, action, target) VALUES ('alice', 'resolve', 'f')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await store.execute(change)
        assert await store.fetchval("SELECT actor FROM gateway.audit") == "alice"

    async def test_a_reader_sees_the_public_views_and_nothing_else(self, store: Any) -> None:
        readable = await store.fetch(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE has_table_privilege('sakimori_reader', quote_ident(table_schema) || '.' || quote_ident(table_name), "
            "'SELECT') AND table_schema IN ('public', 'collector', 'detector', 'notifier', 'gateway', 'sensor',"
            " 'chat')"
        )
        assert {row[0] for row in readable} == {f"public.{view}" for view in VIEWS}
        for owner in OWNERS:
            assert not await store.fetchval("SELECT has_schema_privilege('sakimori_reader', $1, 'USAGE')", owner)
        for view in VIEWS:
            may_write = "SELECT has_table_privilege('sakimori_reader', $1, 'INSERT, UPDATE, DELETE')"
            assert not await store.fetchval(may_write, f"public.{view}")

    async def test_lines_that_became_no_event_expire_by_age(self, store: Any) -> None:
        await store.executemany(
            "INSERT INTO collector.rejected_lines (received_at, source, format, reason, raw) "
            "VALUES ($1, '/var/log/auth.log', 'openssh', 'no time stamp', $2)",
            [(START, b"a"), (START + timedelta(days=1), b"b"), (START + timedelta(days=2), b"c")],
        )
        expire = "SELECT collector.expire_rejected_lines($1, $2)"
        assert await store.fetchval(expire, START + timedelta(days=2), 1) == 1
        assert await store.fetchval(expire, START + timedelta(days=2), 10) == 1
        assert await store.fetchval("SELECT raw FROM collector.rejected_lines") == b"c"
