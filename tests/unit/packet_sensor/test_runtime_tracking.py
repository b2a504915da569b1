"""Devices over time: restored, written, kept while the database is away."""

from pathlib import Path

import pytest

from packets.service import Parts
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id

START = 1_768_528_800_000_000
CAMERA, PHONE = "00-00-5E-00-53-01", "00-00-5E-00-53-02"


def sighted(mac: str, number: int = 0) -> Event:
    at = START + number
    fields = {"event.category": "network", "event.action": "device.sighted", "device.mac": mac}
    return Event(event_id(at, mac), at, "network.device", fields)  # type: ignore[arg-type]  # dict is invariant


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def actions(events: list[Event]) -> list[tuple[object, object]]:
    return [(event.fields["event.action"], event.fields["device.mac"]) for event in events]


async def test_a_new_device_is_discovered_once_and_written(parts: Parts) -> None:
    assert actions(parts.tracking.observe([sighted(CAMERA), sighted(CAMERA, 1)])) == [("device.discovered", CAMERA)]
    await parts.tracking.write()
    assert list(parts.store.records) == [CAMERA]
    assert parts.metric("sakimori_sensor_devices_known") == 1


async def test_a_restart_discovers_nothing_anew(parts: Parts, tmp_path: Path) -> None:
    parts.tracking.observe([sighted(CAMERA)])
    await parts.tracking.write()
    later = Parts(tmp_path / "later")
    later.store.records = parts.store.records
    await later.tracking.restore()
    assert later.metric("sakimori_sensor_devices_known") == 1
    assert actions(later.tracking.observe([sighted(CAMERA, 2), sighted(PHONE, 3)])) == [("device.discovered", PHONE)]


async def test_while_the_database_is_away_the_latest_of_each_device_waits(parts: Parts) -> None:
    parts.store.is_away = True
    for number in range(3):
        parts.tracking.observe([sighted(CAMERA, number)])
        await parts.tracking.write()
    assert parts.metric("sakimori_sensor_device_store_failures_total") == 3
    parts.tracking.observe([sighted(PHONE, 9)])
    parts.store.is_away = False
    await parts.tracking.write()
    assert {mac: record.last_seen for mac, record in parts.store.records.items()} == {
        CAMERA: START + 2,
        PHONE: START + 9,
    }


async def test_a_device_that_the_database_refuses_holds_up_no_other(parts: Parts) -> None:
    parts.store.refused = {CAMERA}
    parts.tracking.observe([sighted(CAMERA), sighted(PHONE)])
    await parts.tracking.write()
    assert list(parts.store.records) == [PHONE]
    parts.store.records.clear()
    await parts.tracking.write()
    assert parts.store.records == {}, "nothing is new"
