"""Devices in PostgreSQL: written once, read back, updated, refused singly, expired."""

from datetime import UTC, datetime

import pytest

from sakimori.embedded import PostgresServer
from sakimori_common.bus import Unavailable
from sakimori_common.context import Postgres
from sakimori_packet_sensor.adapters.postgres import PostgresDeviceStore
from sakimori_packet_sensor.domain.devices.record import Activity, DeviceRecord, HeldAddress, device_id

START = 1_768_528_800_000_000
HOUR = 3_600_000_000
CAMERA, PHONE = "00-00-5E-00-53-01", "02-00-5E-00-53-02"


def record(mac: str = CAMERA, **changes: object) -> DeviceRecord:
    given: dict[str, object] = {
        "id": device_id(mac),
        "mac": mac,
        "vendor": "Example Cameras",
        "is_random": False,
        "is_online": True,
        "hostname": "door-cam",
        "type": "camera",
        "type_probability": 0.9,
        "family": "camera",
        "product": "",
        "product_probability": 0.0,
        "evidence": ("it says so",),
        "system": "",
        "offered": ("tcp/554 rtsp",),
        "used": (),
        "peers": ("198.51.100.20",),
        "first_seen": START,
        "last_seen": START + 5,
        "addresses": (HeldAddress("192.0.2.10", START, START + 5, True), HeldAddress("fe80::1", START, START, False)),
        "trust": 0.4,
        "trust_reasons": (("it offers Telnet", -0.1),),
        "hours": (Activity(START, 100, 900, 3, 4, 1),),
        "signs": ("name:door-cam",),
        "counts": {"anomalies": 1},
        **changes,
    }
    return DeviceRecord(**given)  # type: ignore[arg-type]  # plain values


async def test_a_device_is_one_row_with_its_addresses_and_hours(postgres: Postgres) -> None:
    store = PostgresDeviceStore(postgres)
    assert await store.save([record(), record(PHONE, is_random=True, addresses=(), troubled_at=START)]) == []
    assert await store.save([record(last_seen=START + 9)]) == []
    rows = await postgres.fetch("SELECT * FROM public.devices ORDER BY mac")
    camera, phone = (dict(row) for row in rows)
    assert (camera["mac"], str(camera["ip"]), camera["vendor"]) == (CAMERA, "192.0.2.10", "Example Cameras")
    assert camera["last_seen_at"] == datetime(2026, 1, 16, 2, 0, 0, 9, tzinfo=UTC)
    assert camera["trust_reasons"] == '[{"what": "it offers Telnet", "effect": -0.1}]'
    assert (camera["model"], camera["troubled_at"]) == (None, None)
    assert (phone["vendor"], phone["ip"], phone["troubled_at"]) == (None, None, datetime(2026, 1, 16, 2, tzinfo=UTC))
    addresses = await postgres.fetch("SELECT mac, host(ip) FROM public.device_addresses ORDER BY ip")
    assert [tuple(row) for row in addresses] == [(CAMERA, "192.0.2.10"), (CAMERA, "fe80::1")]
    hours = await postgres.fetch("SELECT * FROM public.device_hours WHERE mac = $1", CAMERA)
    assert [tuple(row)[2:] for row in hours] == [(900, 100, 4, 3, 1)]


async def test_what_was_written_is_read_back_the_latest_last(postgres: Postgres) -> None:
    written = [record(), record(PHONE, last_seen=START + 1)]
    await PostgresDeviceStore(postgres).save(written)
    await postgres.execute(
        "INSERT INTO sensor.devices (mac, first_seen_at, last_seen_at, is_online, is_random, type, probability, trust,"
        " memory) VALUES ('00-00-5E-00-53-7F', now(), now(), true, false, 'camera', 1, 0.5, 'of another version')"
    )
    store = PostgresDeviceStore(postgres)
    assert await store.load(10) == [written[1], written[0]]
    assert [each.mac for each in await store.load(2)] == [CAMERA], "the one of another version is passed over"


async def test_hours_and_addresses_only_grow(postgres: Postgres) -> None:
    store = PostgresDeviceStore(postgres)
    await store.save([record(hours=(Activity(START, 100, 900, 3, 4, 1),))])
    await store.save([record(hours=(Activity(START, 150, 900, 4, 4, 2), Activity(START + HOUR, 1, 1, 1, 1, 1)))])
    other = PostgresDeviceStore(postgres)  # knows nothing of what was written, as another process
    await other.save([record(hours=(Activity(START, 1, 1, 1, 1, 1),))])
    rows = await postgres.fetch("SELECT received_bytes, flows FROM public.device_hours ORDER BY hour")
    assert [tuple(row) for row in rows] == [(150, 2), (1, 1)]


async def test_a_device_that_is_refused_holds_up_no_other(postgres: Postgres) -> None:
    store = PostgresDeviceStore(postgres)
    broken = record(addresses=(HeldAddress("nowhere", START, START, True),))
    assert await store.save([broken, record(PHONE, hostname="a\0b\ud800")]) == [CAMERA]
    rows = await postgres.fetch("SELECT mac, hostname FROM public.devices")
    assert [tuple(row) for row in rows] == [(PHONE, "ab?")]


async def test_old_hours_expire(postgres: Postgres) -> None:
    store = PostgresDeviceStore(postgres)
    now = int(datetime.now(tz=UTC).timestamp() * 1_000_000)
    await store.save([record(hours=(Activity(now - 91 * 24 * HOUR, 1, 1, 1, 1, 1), Activity(now, 1, 1, 1, 1, 1)))])
    await store.expire(90)
    assert await postgres.fetchval("SELECT count(*) FROM public.device_hours") == 1


async def test_a_database_that_is_away_is_said_to_be_unavailable(
    postgres: Postgres, postgres_server: PostgresServer
) -> None:
    store = PostgresDeviceStore(postgres)
    postgres_server.stop()
    try:
        for attempt in (store.save([record()]), store.load(1), store.expire(1)):
            with pytest.raises(Unavailable):
                await attempt
    finally:
        postgres_server.start()
