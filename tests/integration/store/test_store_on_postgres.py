"""The store on plain PostgreSQL; tests/timescale runs the same suites on TimescaleDB."""

from datetime import timedelta
from typing import Any

import asyncpg

from sakimori_common.postgres import migrate, migrations
from store_suite.bots import BotViewSuite, ChatPanelSuite
from store_suite.counts import CountSuite, all_counts
from store_suite.dashboards import DashboardSuite
from store_suite.retention import RetentionSuite, sweep
from store_suite.schema import SchemaSuite
from store_suite.seed import add_events


class TestSchemaOnPostgres(SchemaSuite):
    pass


class TestDashboardOnPostgres(DashboardSuite):
    pass


class TestCountsOnPostgres(CountSuite):
    pass


class TestBotViewsOnPostgres(BotViewSuite):
    pass


class TestChatPanelsOnPostgres(ChatPanelSuite):
    pass


class TestRetentionOnPostgres(RetentionSuite):
    pass


async def test_plain_postgres_is_not_taken_for_timescale(store: Any) -> None:
    assert await store.fetchval("SELECT public.has_timescale()") is False


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


async def test_the_days_that_come_have_partitions_and_what_came_early_moves_there(store: Any) -> None:
    today = await store.fetchval("SELECT date_trunc('day', now(), 'UTC')")
    await add_events(store, today + timedelta(days=4, hours=1), "nginx.access", 2, source="192.0.2.7")
    await add_events(store, today + timedelta(days=27_000), "nginx.access", 1)
    assert await _parts(store) == {"events_future": 3}
    assert await store.fetchval("SELECT collector.add_days($1)", today + timedelta(days=5)) == 2
    assert await store.fetchval("SELECT collector.add_days($1)", today + timedelta(days=5)) == 0
    assert await _parts(store) == {f"events_{today + timedelta(days=4):%Y%m%d}": 2, "events_future": 1}
    assert await all_counts(store) == (3, 3, 3, 2)
    await add_events(store, today + timedelta(days=4, hours=2), "nginx.access", 1)
    assert await all_counts(store) == (4, 4, 4, 2)


async def test_a_day_that_is_over_for_every_dataset_is_dropped_whole(store: Any) -> None:
    today = await store.fetchval("SELECT date_trunc('day', now(), 'UTC')")
    await add_events(store, today, "nginx.access", 2)
    await add_events(store, today + timedelta(days=1), "nginx.access", 1)
    assert await store.fetchval("SELECT collector.drop_days($1)", today + timedelta(days=90, hours=23)) == 0
    assert await store.fetchval("SELECT collector.drop_days($1)", today + timedelta(days=91)) == 1
    assert await store.fetchval("SELECT count(*) FROM public.events") == 1


async def test_nothing_is_dropped_while_some_dataset_is_kept_for_ever(store: Any) -> None:
    await store.fetchval("SELECT collector.set_retention($1, $2)", ["network.*"], [30])
    assert await store.fetchval("SELECT collector.drop_days(now() + INTERVAL '1000 days')") == 0


async def test_what_was_rolled_up_or_deleted_stays_counted_and_what_comes_late_is_added(store: Any) -> None:
    now = await store.fetchval("SELECT now()")
    await add_events(store, now - timedelta(days=31), "network.flow", 3, source="192.0.2.7", outcome="failure")
    await add_events(store, now - timedelta(minutes=10), "nginx.access", 2, source="192.0.2.7")
    await _roll_up(store, now)
    await sweep(store, 30)
    assert await store.fetchval("SELECT count(*) FROM public.events") == 2
    assert await all_counts(store) == (5, 5, 5, 5)
    await add_events(store, now - timedelta(minutes=10), "nginx.access", 1, source="192.0.2.7")
    await add_events(store, now, "nginx.access", 1, source="192.0.2.7")
    await _roll_up(store, now)
    assert await all_counts(store) == (7, 7, 7, 7)
    assert await store.fetchval("SELECT sum(failures)::int FROM public.sources_per_hour") == 3


async def test_days_that_are_over_get_indexes_and_broken_ones_are_made_again(store: Any) -> None:
    tomorrow = await store.fetchval("SELECT date_trunc('day', now(), 'UTC') + INTERVAL '24 hours'")
    wanted = "SELECT statement FROM collector.indexes_to_make($1)"
    day = f"events_{tomorrow - timedelta(days=1):%Y%m%d}"
    statements = [row[0] for row in await store.fetch(wanted, tomorrow)]
    assert [each for each in statements if day in each] == [
        f"CREATE INDEX CONCURRENTLY {day}_action ON collector.{day} (action, time) WHERE action IS NOT NULL",
        f"CREATE INDEX CONCURRENTLY {day}_dataset ON collector.{day} (dataset, time)",
        f"CREATE INDEX CONCURRENTLY {day}_host ON collector.{day} (host, time) WHERE host IS NOT NULL",
        f"CREATE INDEX CONCURRENTLY {day}_user ON collector.{day} (user_name, time) WHERE user_name IS NOT NULL",
        f"CREATE INDEX CONCURRENTLY {day}_words ON collector.{day} "
        "USING gin (collector.words_of(collector.text_of(fields)))",
    ]
    for statement in statements:
        await store.execute(statement)
    assert await store.fetch(wanted, tomorrow) == []
    await store.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'collector.{day}_words'::regclass")
    assert [row[0] for row in await store.fetch(wanted, tomorrow)] == [f"DROP INDEX CONCURRENTLY collector.{day}_words"]


async def test_a_store_of_before_keeps_its_events_and_its_counts(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(empty_postgres_url)
    try:
        steps = migrations()
        await migrate(connection, steps[:12])
        await connection.execute(
            "INSERT INTO collector.events (time, id, dataset, source_ip, outcome, fields) "
            "SELECT now() - make_interval(hours => number * 9), gen_random_uuid(), 'network.flow', '192.0.2.7',"
            " 'failure', '{}' FROM generate_series(-10, 100) AS number"
        )
        await migrate(connection, steps)
        assert await connection.fetchval("SELECT count(*) FROM public.events") == 111
        assert await connection.fetchval("SELECT count(*) FROM public.sessions") == 111
        assert await all_counts(connection) == (111, 111, 111, 111)
        await connection.execute("INSERT INTO collector.events SELECT * FROM collector.events ON CONFLICT DO NOTHING")
        assert await connection.fetchval("SELECT count(*) FROM public.events") == 111
        await _roll_up(connection, await connection.fetchval("SELECT now()"))
        await sweep(connection, 30)
        assert await connection.fetchval("SELECT min(time) >= now() - INTERVAL '30 days 2 hours' FROM public.events")
        assert await all_counts(connection) == (111, 111, 111, 111)
    finally:
        await connection.close()


async def _roll_up(store: Any, until: Any) -> None:
    for _ in range(1000):
        if await store.fetchval("SELECT collector.roll_up_sources($1)", until) is None:
            break


async def _parts(store: Any) -> dict[str, int]:
    rows = await store.fetch("SELECT tableoid::regclass::text AS part, count(*) AS n FROM collector.events GROUP BY 1")
    return {row["part"].removeprefix("collector."): row["n"] for row in rows}
