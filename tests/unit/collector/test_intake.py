"""Every line is accounted for, whatever bus, database, disk and process do."""

import asyncio
import itertools
import tempfile
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from sakimori_collector.adapters.line_spool import FolderSpool, spool_of_events, spool_of_rejected
from sakimori_collector.adapters.sealing import Sealer
from sakimori_collector.backlog import Backlog, Ledger
from sakimori_collector.domain.format import Reference
from sakimori_collector.domain.reading import Rejected, Source
from sakimori_collector.intake import Batch, Intake, Line, Spools, Treatment
from sakimori_collector.metrics import CollectorMetrics
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.log import logger
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.testing.bus import RecordingBus

NOW = 1_768_528_800_000_000  # 2026-01-16T02:00:00Z
GOOD = b"<38>Jan 16 02:00:00 gate sshd[%d]: Failed password for root from 192.0.2.7 port 4000 ssh2"
UNWANTED = b"<38>Jan 16 02:00:00 gate sshd[%d]: Accepted password for alice from 192.0.2.7 port 4000 ssh2"
BAD = b"\xff%d no log line at all"
SEALER = Sealer(SecretStr("a key of at least 16 characters"), "spool")
SOURCES = ("syslog_udp", "firewall")


class Shelf:
    """RejectedLines in memory; `is_away` as a database is."""

    def __init__(self) -> None:
        self.is_away = False
        self.kept: dict[str, Rejected] = {}

    async def keep(self, lines: Sequence[Rejected]) -> None:
        if self.is_away:
            raise Unavailable("the database is away")
        self.kept.update({line.id: line for line in lines})


class World:
    """An intake over a bus and a quarantine that can be away, and a spool that survives it."""

    def __init__(self, folder: Path, limit_bytes: int = 1 << 20) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self.bus, self.shelf = RecordingBus(), Shelf()
        self.start()

    def start(self) -> None:
        """Begin as a new process does, whatever became of the last one."""
        self.registry = CollectorRegistry()
        events: FolderSpool[Event] = spool_of_events(self.folder / "events", self.limit_bytes)
        rejected = spool_of_rejected(self.folder / "rejected", self.limit_bytes, SEALER.seal, SEALER.unseal)
        self.intake = Intake(
            EventPublisher(self.bus, "collector", PublisherMetrics(CollectorRegistry())),
            self.shelf,
            CollectorMetrics(self.registry),
            Treatment(drops=lambda event: event.get("event.outcome") == "success"),
            spools=Spools(events, rejected),
        )

    def count(self, what: str, source: str = "syslog_udp") -> float:
        name = "sakimori_collector_lines_spooled" if what == "spooled" else f"sakimori_collector_lines_{what}_total"
        return self.registry.get_sample_value(name, {"source": source}) or 0.0

    def counts(self, source: str = "syslog_udp") -> tuple[float, ...]:
        return tuple(self.count(what, source) for what in ("published", "rejected", "spooled", "dropped"))

    def published(self) -> set[str]:
        return {event.id for _, message in self.bus.published for event in EVENTS.decode(message.body)}


def batch(*lines: Line, source: str = "syslog_udp") -> Batch:
    return Batch(Source(source, f"{source}:test:1", "linux.syslog", Reference(NOW, UTC), {}), lines)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


def lines(good: int = 0, bad: int = 0, unwanted: int = 0) -> list[Line]:
    return [
        *((place, GOOD % place) for place in range(good)),
        *((place, BAD % place) for place in range(1000, 1000 + bad)),
        *((place, UNWANTED % place) for place in range(2000, 2000 + unwanted)),
    ]


async def test_what_can_be_held_back_is_refused_and_not_counted(world: World) -> None:
    world.bus.fails = True
    with pytest.raises(BusUnavailable):
        await world.intake.take(batch(*lines(good=2)))
    assert (world.count("received"), *world.counts()) == (0, 0, 0, 0, 0)


async def test_a_line_is_published_rejected_or_unwanted(world: World) -> None:
    await world.intake.take(batch(*lines(good=3, bad=2, unwanted=1)))
    assert (world.count("received"), *world.counts()) == (6, 3, 2, 0, 1)
    await world.intake.take_or_spool(batch(*lines(good=3, bad=2, unwanted=1)))
    assert (world.count("received"), *world.counts()) == (12, 6, 4, 0, 2)


async def test_without_the_bus_events_wait_on_disk_and_rejected_lines_do_not(world: World) -> None:
    world.bus.fails = True
    taken = await world.intake.take_or_spool(batch(*lines(good=3, bad=2)))
    assert (taken.published, taken.spooled, len(taken.rejected)) == (0, 3, 2)
    assert world.counts() == (0, 2, 3, 0)
    world.bus.fails = False
    await world.intake.drain()
    assert world.counts() == (3, 2, 0, 0)
    assert len(world.published()) == 3


async def test_without_the_database_rejected_lines_wait_on_disk_sealed_and_events_do_not(world: World) -> None:
    world.shelf.is_away = True
    await world.intake.take_or_spool(batch(*lines(good=3), (7, b"password=hunter2")))
    assert world.counts() == (3, 0, 1, 0)
    [kept] = (world.folder / "rejected").iterdir()
    assert b"hunter2" not in kept.read_bytes()
    world.shelf.is_away = False
    await world.intake.drain()
    assert world.counts() == (3, 1, 0, 0)
    assert [line.raw for line in world.shelf.kept.values()] == [b"password=hunter2"]


async def test_what_comes_later_does_not_overtake_what_waits(world: World) -> None:
    world.bus.fails = True
    await world.intake.take_or_spool(batch((1, GOOD % 1)))
    world.bus.fails = False
    await world.intake.take_or_spool(batch((2, GOOD % 2)))
    assert world.counts() == (0, 0, 2, 0)
    await world.intake.drain()
    pids = [event.get("process.pid") for _, message in world.bus.published for event in EVENTS.decode(message.body)]
    assert pids == [1, 2]


async def test_what_a_killed_process_left_is_received_by_the_next(world: World) -> None:
    world.bus.fails = True
    await world.intake.take_or_spool(batch(*lines(good=5), source="syslog_udp"))
    await world.intake.take_or_spool(batch(*lines(good=2), source="firewall"))
    world.start()
    assert (world.count("received"), *world.counts()) == (5, 0, 0, 5, 0)
    assert (world.count("received", "firewall"), *world.counts("firewall")) == (2, 0, 0, 2, 0)
    world.bus.fails = False
    await world.intake.drain()
    assert (world.counts(), world.counts("firewall")) == ((5, 0, 0, 0), (2, 0, 0, 0))


async def test_beyond_the_bound_lines_are_dropped_and_counted(tmp_path: Path) -> None:
    world = World(tmp_path, limit_bytes=3000)
    world.bus.fails = True
    for place in range(100):
        await world.intake.take_or_spool(batch((place, GOOD % place)))
    _, _, spooled, dropped = world.counts()
    assert spooled + dropped == 100
    assert 0 < spooled < 30
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 3000


async def test_what_cannot_be_read_back_is_dropped_and_put_aside(world: World) -> None:
    world.bus.fails = True
    await world.intake.take_or_spool(batch(*lines(good=5)))
    await world.intake.take_or_spool(batch((9, GOOD % 9)))
    min((world.folder / "events").iterdir()).write_bytes(b"\x93half a file")
    world.bus.fails = False
    await world.intake.drain()
    assert world.counts() == (1, 0, 0, 5)
    assert [path.suffix for path in (world.folder / "events").iterdir()] == [".damaged"]


async def test_a_bus_that_does_not_answer_is_away(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    ledger = Ledger(CollectorMetrics(registry))

    async def never(_: Sequence[Event]) -> None:
        await asyncio.Event().wait()

    spool = spool_of_events(tmp_path, 1 << 20)
    backlog = Backlog(never, spool, ledger, ledger.published, logger("test"), patience_seconds=0.01)
    assert await backlog.take("syslog_udp", 1, [Event("1", NOW, "x", {})]) is None
    assert [(waiting.source, waiting.lines) for waiting in spool.waiting()] == [("syslog_udp", 1)]


async def test_names_of_sources_survive_as_file_names(tmp_path: Path) -> None:
    spool = spool_of_events(tmp_path, 1 << 20)
    spool.put("../Ünï code/100%-1", 3, [Event("1", NOW, "x", {})])
    [waiting] = spool_of_events(tmp_path, 1 << 20).waiting()
    assert (waiting.source, waiting.lines) == ("../Ünï code/100%-1", 3)


class Accounting(RuleBasedStateMachine):
    """Anything may fail at any time; the sum holds after each step, and nothing is lost that is not counted so."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.places = itertools.count()
        self.world = self.runner.run(self._begun())
        self.sent: set[str] = set()
        self.dropped = 0.0

    async def _begun(self) -> World:
        return World(Path(self.folder.name), limit_bytes=6000)

    @rule(is_away=st.booleans())
    def bus(self, is_away: bool) -> None:
        self.world.bus.fails = is_away

    @rule(is_away=st.booleans())
    def database(self, is_away: bool) -> None:
        self.world.shelf.is_away = is_away

    @rule(good=st.integers(0, 5), bad=st.integers(0, 5), source=st.sampled_from(SOURCES), spools=st.booleans())
    def lines_come(self, good: int, bad: int, source: str, spools: bool) -> None:
        numbered = [(next(self.places), GOOD) for _ in range(good)] + [(next(self.places), BAD) for _ in range(bad)]
        given = batch(*((place, line % place) for place, line in numbered), source=source)
        if spools:
            self.runner.run(self.world.intake.take_or_spool(given))
        else:
            try:
                self.runner.run(self.world.intake.take(given))
            except (BusUnavailable, Unavailable):
                return
        self.sent |= {f"{source}:{place}" for place, _ in numbered}

    @rule()
    def drain(self) -> None:
        self.runner.run(self.world.intake.drain())

    @rule()
    def process_is_killed(self) -> None:
        self.dropped += sum(self.world.count("dropped", source) for source in SOURCES)

        async def start() -> None:
            self.world.start()

        self.runner.run(start())

    @invariant()
    def sum_holds(self) -> None:
        for source in SOURCES if hasattr(self, "world") else ():
            assert self.world.count("received", source) == sum(self.world.counts(source))
            assert min(self.world.counts(source)) >= 0

    def teardown(self) -> None:
        self.world.bus.fails = self.world.shelf.is_away = False
        self.drain()
        dropped = self.dropped + sum(self.world.count("dropped", source) for source in SOURCES)
        taken_twice = len(self.world.published()) + len(self.world.shelf.kept)
        assert sum(self.world.count("spooled", source) for source in SOURCES) == 0
        assert taken_twice >= len(self.sent) - dropped
        self.runner.close()
        self.folder.cleanup()


Accounting.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAccounting = Accounting.TestCase
