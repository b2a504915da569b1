"""Events on disk while the bus is away."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool, SpoolFull
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.testing.bus import RecordingBus


def event(number: int) -> Event:
    return Event(f"event-{number}", 1_768_528_800_000_000 + number, "chat.security", {"event.action": "posted"})


@pytest.fixture
async def bus() -> RecordingBus:
    return RecordingBus()


@pytest.fixture
async def publisher(bus: RecordingBus) -> EventPublisher:
    return EventPublisher(bus, "chat", PublisherMetrics(CollectorRegistry()))


def published(bus: RecordingBus) -> list[str]:
    return [event.id for _, message in bus.published for event in EVENTS.decode(message.body)]


async def test_what_was_kept_goes_out_oldest_first(
    tmp_path: Path, bus: RecordingBus, publisher: EventPublisher
) -> None:
    spool = Spool(tmp_path, 10_000)
    for number in (2, 1, 3):
        spool.put([event(number)])
    assert await spool.drain_into(publisher) == 3
    assert published(bus) == ["event-1", "event-2", "event-3"]
    assert (spool.used_bytes, list(tmp_path.iterdir())) == (0, [])


async def test_what_is_kept_survives_the_process(tmp_path: Path, bus: RecordingBus, publisher: EventPublisher) -> None:
    Spool(tmp_path, 10_000).put([event(1), event(2)])
    later = Spool(tmp_path, 10_000)
    assert later.used_bytes > 0
    assert await later.drain_into(publisher) == 2
    assert published(bus) == ["event-1", "event-2"]


async def test_nothing_is_removed_while_the_bus_is_away(
    tmp_path: Path, bus: RecordingBus, publisher: EventPublisher
) -> None:
    spool = Spool(tmp_path, 10_000)
    spool.put([event(1)])
    bus.fails = True
    assert await spool.drain_into(publisher) == 0
    bus.fails = False
    assert await spool.drain_into(publisher) == 1


def test_a_full_spool_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 100)
    spool.put([event(1)])
    with pytest.raises(SpoolFull, match="of 100 bytes are used"):
        spool.put([event(2)])
    assert len(list((tmp_path / "spool").iterdir())) == 1


async def test_a_damaged_file_is_put_aside_and_does_not_stop_the_rest(
    tmp_path: Path, bus: RecordingBus, publisher: EventPublisher
) -> None:
    spool = Spool(tmp_path, 10_000)
    spool.put([event(1)])
    next(tmp_path.glob("*.batch")).write_bytes(b"half a fi")
    spool = Spool(tmp_path, 10_000)
    spool.put([event(2)])
    assert await spool.drain_into(publisher) == 1
    assert published(bus) == ["event-2"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]
    assert spool.used_bytes == 0


async def test_a_write_that_was_cut_off_is_no_batch(
    tmp_path: Path, bus: RecordingBus, publisher: EventPublisher
) -> None:
    (tmp_path / "00000000000000000001-000000001-ab.partial").write_bytes(b"\x91")
    assert await Spool(tmp_path, 10_000).drain_into(publisher) == 0
    assert published(bus) == []
    assert list(tmp_path.iterdir()) == []
