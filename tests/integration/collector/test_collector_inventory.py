"""The inventory of sources: when each was last seen, who fell silent, who speaks again."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from sakimori_collector.adapters.source_activity import PostgresSourceActivity
from sakimori_collector.inventory import Inventory
from sakimori_collector.metrics import CollectorMetrics
from sakimori_common.bus import BusUnavailable
from sakimori_common.context import Postgres
from sakimori_common.contracts import ACTIONS, Event
from sakimori_common.instants import format_instant, to_microseconds
from sakimori_common.log import logger

from .test_collector_tokens import issue

START = datetime(2026, 1, 16, 2, 0, tzinfo=UTC)


class Told:
    """Takes events as the bus would; `is_away` refuses them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_away = False

    async def publish(self, events: Sequence[Event]) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        self.events += events

    def seen(self) -> list[tuple[object, object]]:
        return [(event.fields["event.action"], event.fields["sakimori.source"]) for event in self.events]


class World:
    """An inventory whose clock the test sets, in minutes."""

    def __init__(self, postgres: Postgres, told: Told | None = None) -> None:
        self.minute = 0.0
        self.told = told or Told()
        self.metrics = CollectorMetrics(CollectorRegistry())
        self.postgres = postgres
        self.inventory = Inventory(
            activity=PostgresSourceActivity(postgres),
            publisher=self.told,
            metrics=self.metrics,
            log=logger("collector"),
            observer="collector-1",
            silent_after_minutes=15,
            clock=lambda: to_microseconds(START + timedelta(minutes=self.minute)),
        )

    async def speak(self, *sources: str, lines: int = 1) -> None:
        for source in sources:
            self.metrics.lines_received_total.labels(source).inc(lines)
        await self.inventory.note()

    async def speak_regularly(self, source: str, minutes: int = 10) -> None:
        for _ in range(minutes):
            await self.speak(source)
            self.minute += 1
        self.minute -= 1

    async def look(self, after_minutes: float) -> list[tuple[object, object]]:
        self.minute += after_minutes
        await self.inventory.look_for_silence()
        return self.told.seen()


@pytest.fixture
def world(postgres: Postgres) -> World:
    return World(postgres)


async def test_what_is_counted_is_noted_and_added_up(world: World) -> None:
    await world.speak("web-1", "/var/log/auth.log", lines=5)
    world.minute = 3
    await world.speak("web-1", lines=2)
    rows = await world.postgres.fetch("SELECT * FROM public.source_activity ORDER BY source")
    assert [(row["source"], row["lines"], row["first_seen_at"], row["last_seen_at"]) for row in rows] == [
        ("/var/log/auth.log", 5, START, START),
        ("web-1", 7, START, START + timedelta(minutes=3)),
    ]


async def test_a_regular_source_that_falls_silent_is_told_of_once_and_again_when_it_speaks(world: World) -> None:
    await world.speak_regularly("web-1")
    assert await world.look(14.9) == []
    assert await world.look(0.2) == [("source.silent", "web-1")]
    assert await world.look(60) == [("source.silent", "web-1")]
    await world.speak("web-1")
    assert world.told.seen() == [("source.silent", "web-1"), ("source.resumed", "web-1")]
    silent = world.told.events[0]
    assert silent.dataset == "collector.source"
    assert silent.fields["sakimori.silence.since"] == format_instant(to_microseconds(START + timedelta(minutes=9)))
    assert silent.fields["sakimori.silence.seconds"] == 906
    kinds = [ACTIONS[str(event.fields["event.action"])].category for event in world.told.events]
    assert kinds == [event.fields["event.category"] for event in world.told.events]


async def test_what_never_came_regularly_may_be_silent(world: World) -> None:
    await world.speak("once")
    for _ in range(8):
        await world.speak("hourly")
        world.minute += 60
    await world.speak_regularly("only-four-minutes", minutes=4)
    assert await world.look(500) == []


async def test_a_source_with_a_token_has_its_own_patience_and_none_once_it_is_revoked(world: World) -> None:
    await issue(world.postgres, "patient", silent_after_minutes=120)
    await issue(world.postgres, "revoked", revoked_at=START)
    for source in ("patient", "revoked"):
        world.minute = 0
        await world.speak_regularly(source)
    assert await world.look(100) == []
    assert await world.look(30) == [("source.silent", "patient")]


async def test_replicas_tell_of_a_silence_once(world: World, postgres: Postgres) -> None:
    await world.speak_regularly("web-1")
    other = World(postgres, world.told)
    world.minute = other.minute = 60
    await asyncio.gather(world.inventory.look_for_silence(), other.inventory.look_for_silence())
    assert world.told.seen() == [("source.silent", "web-1")]


async def test_what_cannot_be_told_now_is_told_later(world: World) -> None:
    await world.speak_regularly("web-1")
    world.told.is_away = True
    with pytest.raises(BusUnavailable):
        await world.look(60)
    world.told.is_away = False
    assert await world.look(1) == [("source.silent", "web-1")]
    world.told.is_away = True
    with pytest.raises(BusUnavailable):
        await world.speak("web-1", lines=3)
    world.told.is_away = False
    await world.inventory.note()
    assert world.told.seen()[1:] == [("source.resumed", "web-1")]
    assert await world.postgres.fetchval("SELECT lines FROM collector.source_activity") == 13


async def test_sources_of_long_ago_are_forgotten(world: World) -> None:
    await world.speak("web-1")
    await world.look(91 * 24 * 60)
    assert await world.postgres.fetchval("SELECT count(*) FROM collector.source_activity") == 0
