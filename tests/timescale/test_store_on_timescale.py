"""The store on TimescaleDB: the suites of plain PostgreSQL, and what only the extension does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dashboards import POSTGRES, queries
from store_suite.bots import BotViewSuite, ChatPanelSuite
from store_suite.counts import CountSuite, all_counts
from store_suite.dashboards import EXPECTED, DashboardSuite
from store_suite.retention import RetentionSuite, sweep
from store_suite.schema import SchemaSuite
from store_suite.seed import END, START, add_events, seed

AGGREGATES = ("severities_per_minute", "events_per_hour", "sources_per_hour")
CHUNKS = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'events'"


class TestSchemaOnTimescale(SchemaSuite):
    pass


class TestDashboardOnTimescale(DashboardSuite):
    pass


class TestCountsOnTimescale(CountSuite):
    pass


class TestBotViewsOnTimescale(BotViewSuite):
    pass


class TestChatPanelsOnTimescale(ChatPanelSuite):
    pass


class TestRetentionOnTimescale(RetentionSuite):
    pass


async def test_events_are_a_hypertable_with_a_chunk_a_day(store: Any) -> None:
    assert await store.fetchval("SELECT public.has_timescale()") is True
    dimension = await store.fetchrow(
        "SELECT column_name, time_interval FROM timescaledb_information.dimensions "
        "WHERE hypertable_schema = 'collector' AND hypertable_name = 'events'"
    )
    assert tuple(dimension) == ("time", timedelta(days=1))
    for day in range(3):
        await add_events(store, START + timedelta(days=day), "nginx.access", 5)
    assert await store.fetchval(CHUNKS) == 3


async def test_events_per_minute_is_a_continuous_aggregate_that_counts_the_newest_rows_too(store: Any) -> None:
    row = await store.fetchrow(
        "SELECT view_schema, materialized_only FROM timescaledb_information.continuous_aggregates "
        "WHERE view_name = 'events_per_minute'"
    )
    assert tuple(row) == ("collector", False)


async def test_the_jobs_keep_events_90_days_and_counts_400(store: Any) -> None:
    jobs = await store.fetch(
        "SELECT proc_name, schedule_interval, config->>'drop_after' AS drop_after, "
        "config->>'compress_after' AS compress_after "
        "FROM timescaledb_information.jobs WHERE hypertable_schema IS NOT NULL"
    )
    found = {(job["proc_name"], job["drop_after"] or job["compress_after"]) for job in jobs}
    assert found == {
        ("policy_compression", "7 days"),
        ("policy_retention", "90 days"),
        ("policy_retention", "400 days"),
        ("policy_refresh_continuous_aggregate", None),
    }
    refreshes = [job["schedule_interval"] for job in jobs if "refresh" in job["proc_name"]]
    assert sorted(refreshes) == [timedelta(minutes=1)] * 2 + [timedelta(minutes=10)] * 2


async def test_the_refresh_job_materialises_the_counts_of_whole_minutes(fresh_store: Any) -> None:
    recent = (datetime.now(UTC) - timedelta(minutes=10)).replace(second=0, microsecond=0)
    await add_events(fresh_store, recent, "nginx.access", 5)
    assert await _materialised(fresh_store) == []
    await _run(fresh_store, "policy_refresh_continuous_aggregate", "events_per_minute")
    assert await _materialised(fresh_store) == [(recent, "nginx.access", 5)]


async def test_late_events_are_counted_at_the_next_refresh(fresh_store: Any) -> None:
    recent = (datetime.now(UTC) - timedelta(minutes=10)).replace(second=0, microsecond=0)
    await add_events(fresh_store, recent, "nginx.access", 5)
    await _run(fresh_store, "policy_refresh_continuous_aggregate", "events_per_minute")
    await add_events(fresh_store, recent - timedelta(days=3), "openssh.auth", 2)
    await _run(fresh_store, "policy_refresh_continuous_aggregate", "events_per_minute")
    assert await fresh_store.fetchval("SELECT sum(events) FROM public.events_per_minute") == 7


async def test_the_panels_show_the_same_after_a_refresh(fresh_store: Any) -> None:
    await seed(fresh_store)
    await fresh_store.execute("CALL refresh_continuous_aggregate('collector.events_per_minute', NULL, NULL)")
    for panel in ("Events per minute", "Events per second by dataset"):
        rows = await fresh_store.fetch(queries(POSTGRES)[panel].over(START, END))
        assert [tuple(row) for row in rows] == EXPECTED[panel]


async def test_the_compression_job_compresses_days_over_a_week_old_and_they_stay_idempotent(fresh_store: Any) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=20)
    await add_events(fresh_store, old, "nginx.access", 50)
    await add_events(fresh_store, now, "nginx.access", 50)
    await _run(fresh_store, "policy_compression", "events")
    compressed = await fresh_store.fetch(
        "SELECT is_compressed FROM timescaledb_information.chunks ORDER BY range_start"
    )
    assert [row[0] for row in compressed] == [True, False]

    again = "INSERT INTO collector.events SELECT * FROM collector.events WHERE time < $1 ON CONFLICT DO NOTHING"
    await fresh_store.execute(again, now - timedelta(days=10))
    await add_events(fresh_store, old + timedelta(minutes=1), "nginx.access", 1)
    assert await fresh_store.fetchval("SELECT count(*) FROM public.events") == 101


async def test_the_retention_job_drops_days_over_90_days_old(fresh_store: Any) -> None:
    now = datetime.now(UTC)
    await add_events(fresh_store, now - timedelta(days=92), "nginx.access", 3)
    await add_events(fresh_store, now - timedelta(days=88), "nginx.access", 4)
    await _run(fresh_store, "policy_retention", "events")
    assert await fresh_store.fetchval("SELECT count(*) FROM public.events") == 4


async def test_dropped_events_stay_counted(fresh_store: Any) -> None:
    now = datetime.now(UTC)
    await add_events(fresh_store, now - timedelta(days=95), "nginx.access", 3)
    await fresh_store.execute("CALL refresh_continuous_aggregate('collector.events_per_minute', NULL, NULL)")
    await _run(fresh_store, "policy_retention", "events")
    await _run(fresh_store, "policy_refresh_continuous_aggregate", "events_per_minute")
    assert await fresh_store.fetchval("SELECT count(*) FROM public.events") == 0
    assert await fresh_store.fetchval("SELECT sum(events) FROM public.events_per_minute") == 3


async def test_flows_are_deleted_from_compressed_days_and_stay_counted(fresh_store: Any) -> None:
    now = datetime.now(UTC)
    for dataset in ("network.flow", "nginx.access"):
        await add_events(fresh_store, now - timedelta(days=40), dataset, 50, source="192.0.2.7")
    for view in ("events_per_minute", *AGGREGATES):
        await fresh_store.execute(f"CALL refresh_continuous_aggregate('collector.{view}', NULL, NULL)")
    await _run(fresh_store, "policy_compression", "events")
    await sweep(fresh_store, 30, 90)
    assert await fresh_store.fetchval("SELECT count(*) FROM public.events WHERE dataset = 'nginx.access'") == 50
    assert await fresh_store.fetchval("SELECT count(*) FROM public.events") == 50
    for view in ("events_per_minute", *AGGREGATES):
        await _run(fresh_store, "policy_refresh_continuous_aggregate", view)
    assert await all_counts(fresh_store) == (100, 100, 100, 100)


async def test_the_policies_follow_the_retention_that_is_set(fresh_store: Any) -> None:
    await fresh_store.fetchval("SELECT collector.set_retention($1, $2)", ["*", "network.*"], [60, 14])
    assert (
        await fresh_store.fetchval(
            "SELECT config->>'drop_after' FROM timescaledb_information.jobs "
            "WHERE proc_name = 'policy_retention' AND hypertable_name = 'events'"
        )
        == "60 days"
    )
    starts = await fresh_store.fetch(
        "SELECT DISTINCT config->>'start_offset' FROM timescaledb_information.jobs "
        "WHERE proc_name = 'policy_refresh_continuous_aggregate'"
    )
    assert [row[0] for row in starts] == ["12 days"]


async def _run(store: Any, procedure: str, relation: str) -> None:
    """Run a job now, as TimescaleDB's scheduler would."""
    job = await store.fetchval(
        "SELECT job_id FROM timescaledb_information.jobs "
        "WHERE proc_name = $1 AND (hypertable_name = $2 OR hypertable_name = (SELECT materialization_hypertable_name "
        "FROM timescaledb_information.continuous_aggregates WHERE view_name = $2))",
        procedure,
        relation,
    )
    await store.execute(f"CALL run_job({job})")


async def _materialised(store: Any) -> list[tuple[Any, ...]]:
    table = await store.fetchval(
        "SELECT format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) "
        "FROM timescaledb_information.continuous_aggregates WHERE view_name = 'events_per_minute'"
    )
    return [tuple(row) for row in await store.fetch(f"SELECT bucket, dataset, events FROM {table}")]
