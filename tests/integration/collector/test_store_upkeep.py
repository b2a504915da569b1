"""The store's upkeep: retention from the settings, days, indexes, one replica at a time."""

from typing import Any

from sakimori_collector.adapters.store_upkeep import PostgresUpkeep
from sakimori_collector.ports import Tidied
from sakimori_common.context import Postgres
from servers.eventually import eventually

_ADD = (
    "INSERT INTO collector.events (time, id, dataset, fields) SELECT now() - make_interval(days => $1), "
    "gen_random_uuid(), $2, '{}' FROM generate_series(1, $3)"
)


async def _kept(postgres: Postgres) -> dict[str, int]:
    rows = await postgres.fetch("SELECT dataset, count(*) AS n FROM public.events GROUP BY 1")
    return {row["dataset"]: row["n"] for row in rows}


async def test_the_settings_say_how_long_datasets_are_kept(start: Any, postgres: Postgres) -> None:
    for dataset in ("nginx.access", "nginx.error", "network.flow"):
        await postgres.execute(_ADD, 20, dataset, 2)
    await start(retention_days=365, retention="nginx.access=14")

    async def _tidied() -> bool:
        return await _kept(postgres) == {"nginx.error": 2, "network.flow": 2}

    await eventually(_tidied, 20)


async def test_tidying_deletes_indexes_and_says_what_it_did(postgres: Postgres) -> None:
    upkeep = PostgresUpkeep(postgres)
    assert await upkeep.set_retention({"*": 90, "network.*": 30}) is False
    await postgres.execute(_ADD, 31, "network.flow", 3)
    await postgres.execute(_ADD, 31, "nginx.access", 3)
    await postgres.execute(
        "INSERT INTO collector.rejected_lines (received_at, source, format, reason, raw) "
        "VALUES (now() - INTERVAL '8 days', 's', 'f', 'r', 'x')"
    )
    await upkeep.prepare()
    assert await upkeep.tidy(7) == Tidied(days_dropped=0, events_deleted=3, lines_deleted=1, indexes_made=5)
    assert await upkeep.tidy(7) == Tidied(days_dropped=0, events_deleted=0, lines_deleted=0, indexes_made=0)
    assert await _kept(postgres) == {"nginx.access": 3}


async def test_one_replica_tidies_and_the_others_leave_it_to_that(postgres: Postgres) -> None:
    async with postgres.acquire() as other:
        await other.execute("SELECT pg_advisory_lock($1)", 0x53_41_4B_02)
        assert await PostgresUpkeep(postgres).tidy(7) is None
        await other.execute("SELECT pg_advisory_unlock($1)", 0x53_41_4B_02)
    assert await PostgresUpkeep(postgres).tidy(7) is not None
