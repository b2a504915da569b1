"""The store on plain PostgreSQL; tests/timescale runs the same suites on TimescaleDB."""

from datetime import timedelta
from typing import Any

import asyncpg

from sakimori_common.postgres import migrate
from store_suite.dashboards import DashboardSuite
from store_suite.schema import SchemaSuite
from store_suite.seed import START, add_events


class TestSchemaOnPostgres(SchemaSuite):
    pass


class TestDashboardOnPostgres(DashboardSuite):
    pass


async def test_plain_postgres_is_not_taken_for_timescale(store: Any) -> None:
    assert await store.fetchval("SELECT public.has_timescale()") is False


async def test_the_oldest_events_expire_first_and_never_more_than_asked(store: Any) -> None:
    for day in range(4):
        await add_events(store, START + timedelta(days=day), "nginx.access", 2)
    expire = "SELECT collector.expire_events($1, $2)"
    before = START + timedelta(days=2)
    assert await store.fetchval(expire, before, 3) == 3
    assert await store.fetchval("SELECT min(time) FROM collector.events") == START + timedelta(days=1, milliseconds=1)
    assert await store.fetchval(expire, before, 3) == 1
    assert await store.fetchval(expire, before, 3) == 0
    assert await store.fetchval("SELECT count(*) FROM collector.events") == 4


async def test_a_panel_over_minutes_reads_no_other_events(store: Any) -> None:
    await store.execute("SET enable_seqscan = off")
    plan = await store.fetch("EXPLAIN SELECT * FROM public.events_per_minute WHERE bucket >= '2026-01-16 02:00:00Z'")
    assert any("events_minute" in row[0] for row in plan)


async def test_an_owner_who_is_no_superuser_can_migrate(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(empty_postgres_url)
    try:
        await connection.execute("CREATE ROLE plain_owner NOLOGIN")
        await connection.execute("GRANT plain_owner TO CURRENT_USER")
        await connection.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO plain_owner', current_database()); END $$"
        )
        await connection.execute("SET ROLE plain_owner")
        assert await migrate(connection)
        assert await connection.fetchval("SELECT count(*) FROM public.triaged_findings") == 0
    finally:
        await connection.execute("RESET ROLE; REASSIGN OWNED BY plain_owner TO CURRENT_USER; DROP OWNED BY plain_owner")
        await connection.execute("DROP ROLE plain_owner")
        await connection.close()
