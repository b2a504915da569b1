"""How long events stay; one suite for PostgreSQL and TimescaleDB."""

from datetime import timedelta
from typing import Any

import pytest

from store_suite.seed import add_events

SET = "SELECT collector.set_retention($1, $2)"


class RetentionSuite:
    """Needs the fixture `store`: a connection to a migrated database with nothing in it."""

    async def test_flows_are_kept_30_days_and_everything_else_90_by_default(self, store: Any) -> None:
        for dataset in ("network.flow", "nginx.access"):
            for days in (91, 89, 31, 29):
                await add_events(store, await _ago(store, days), dataset, 1)
        await sweep(store, 30, 90)
        assert await _kept(store) == [
            ("network.flow", 29),
            ("nginx.access", 29),
            ("nginx.access", 31),
            ("nginx.access", 89),
        ]

    @pytest.mark.parametrize(
        ("dataset", "days"),
        [("nginx.access", 14), ("nginx.error", 60), ("nginxXerror", 90), ("network.flow", 30), ("a_b", 5), ("axb", 90)],
    )
    async def test_the_longest_pattern_that_fits_decides(self, store: Any, dataset: str, days: int) -> None:
        await store.execute("BEGIN")
        await store.fetchval(SET, ["*", "nginx.*", "nginx.access", "network.*", "a_b"], [90, 60, 14, 30, 5])
        assert await store.fetchval("SELECT collector.days_kept($1)", dataset) == days
        await store.execute("ROLLBACK")

    async def test_a_new_retention_is_told_from_the_one_that_is_set(self, store: Any) -> None:
        await store.execute("BEGIN")
        assert await store.fetchval(SET, ["network.*", "*"], [30, 90]) is False
        assert await store.fetchval(SET, ["network.*", "*"], [31, 90]) is True
        assert await store.fetchval(SET, ["network.*", "*"], [31, 90]) is False
        await store.execute("ROLLBACK")

    async def test_a_shorter_retention_reaches_what_was_passed_over(self, store: Any) -> None:
        await store.execute("BEGIN")
        await add_events(store, await _ago(store, 40), "nginx.access", 2)
        await sweep(store, 30, 90)
        assert await store.fetchval("SELECT count(*) FROM public.events") == 2
        await store.fetchval(SET, ["*", "nginx.access"], [90, 30])
        await sweep(store, 30, 90)
        assert await store.fetchval("SELECT count(*) FROM public.events") == 0
        await store.execute("ROLLBACK")

    async def test_flows_that_come_late_are_deleted_too(self, store: Any) -> None:
        await add_events(store, await _ago(store, 31), "network.flow", 1)
        await sweep(store, 30)
        await add_events(store, await _ago(store, 33), "network.flow", 2)
        await sweep(store, 30)
        assert await store.fetchval("SELECT count(*) FROM public.events") == 0

    async def test_a_sweep_of_nothing_ends_at_once(self, store: Any) -> None:
        row = await store.fetchrow("SELECT until_at, deleted FROM collector.sweep(30, NULL, now())")
        assert tuple(row) == (None, 0)


async def sweep(store: Any, *classes: int) -> None:
    """Delete what is too old, as the collector does every hour."""
    for days in classes:
        until = None
        for _ in range(1000):
            until = await store.fetchval("SELECT until_at FROM collector.sweep($1, $2, now())", days, until)
            if until is None:
                break


async def _ago(store: Any, days: int) -> Any:
    return await store.fetchval("SELECT now()") - timedelta(days=days)


async def _kept(store: Any) -> list[tuple[str, int]]:
    rows = await store.fetch("SELECT dataset, (now() - time) AS age FROM public.events")
    return sorted((row["dataset"], row["age"].days) for row in rows)
