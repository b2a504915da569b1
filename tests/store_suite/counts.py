"""Counts of events as panels read them; one suite for PostgreSQL and TimescaleDB."""

from datetime import timedelta
from typing import Any

from store_suite.seed import START, add_events

HOUR = timedelta(hours=1)


class CountSuite:
    """Needs the fixture `store`: a connection to a migrated database with nothing in it."""

    async def test_events_are_counted_by_minute_dataset_and_severity(self, store: Any) -> None:
        await add_events(store, START, "nginx.access", 3)
        await add_events(store, START, "openssh.auth", 2, severity="low")
        await add_events(store, START + timedelta(seconds=59), "openssh.auth", 1, severity="low")
        await add_events(store, START + timedelta(seconds=60), "openssh.auth", 1, severity="high")
        rows = await store.fetch("SELECT bucket, dataset, severity, events FROM severities_per_minute ORDER BY 1, 2, 3")
        assert [tuple(row) for row in rows] == [
            (START, "nginx.access", "info", 3),
            (START, "openssh.auth", "low", 3),
            (START + timedelta(minutes=1), "openssh.auth", "high", 1),
        ]
        minutes = await store.fetch("SELECT bucket, dataset, events FROM events_per_minute ORDER BY 1, 2")
        assert [tuple(row) for row in minutes] == [
            (START, "nginx.access", 3),
            (START, "openssh.auth", 3),
            (START + timedelta(minutes=1), "openssh.auth", 1),
        ]

    async def test_events_are_counted_by_hour_dataset_severity_and_host(self, store: Any) -> None:
        await add_events(store, START, "nginx.access", 3, host="web-1")
        await add_events(store, START + timedelta(minutes=59), "nginx.access", 2, host="web-2")
        await add_events(store, START + timedelta(minutes=60), "nginx.access", 1)
        rows = await store.fetch("SELECT bucket, dataset, severity, host, events FROM events_per_hour ORDER BY 1, 4")
        assert [tuple(row) for row in rows] == [
            (START, "nginx.access", "info", "web-1", 3),
            (START, "nginx.access", "info", "web-2", 2),
            (START + HOUR, "nginx.access", "info", "", 1),
        ]

    async def test_events_are_counted_by_hour_and_address_with_their_failures(self, store: Any) -> None:
        await self._add_sources(store)
        assert await sources(store) == [
            (START, "192.0.2.7", 3, 2),
            (START, "2001:db8::1", 1, 0),
            (START + HOUR, "192.0.2.7", 1, 1),
        ]

    async def test_an_event_that_is_there_already_is_counted_once(self, store: Any) -> None:
        await self._add_sources(store)
        before = await all_counts(store)
        await store.execute(
            "INSERT INTO collector.events SELECT * FROM collector.events ORDER BY random() ON CONFLICT DO NOTHING"
        )
        assert await all_counts(store) == before == (5, 5, 5, 5)

    async def _add_sources(self, store: Any) -> None:
        await add_events(store, START, "openssh.auth", 2, source="192.0.2.7", outcome="failure")
        await add_events(store, START + timedelta(minutes=5), "openssh.auth", 1, source="192.0.2.7")
        await add_events(store, START + timedelta(minutes=9), "openssh.auth", 1, source="2001:db8::1")
        await add_events(store, START + HOUR, "openssh.auth", 1, source="192.0.2.7", outcome="failure")


async def sources(store: Any) -> list[tuple[Any, ...]]:
    """Read the counts by hour and address."""
    rows = await store.fetch(
        "SELECT bucket, host(source_ip), events, failures FROM public.sources_per_hour ORDER BY bucket, source_ip"
    )
    return [tuple(row) for row in rows]


async def all_counts(store: Any) -> tuple[int, ...]:
    """Add up each of the counts."""
    views = ("events_per_minute", "severities_per_minute", "events_per_hour", "sources_per_hour")
    return tuple([int(await store.fetchval(f"SELECT coalesce(sum(events), 0) FROM public.{view}")) for view in views])
