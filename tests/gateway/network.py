"""Devices and flows where the sensor and the collector put them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sakimori_common.context import Postgres
from sakimori_common.ids import event_id
from sakimori_common.instants import to_microseconds

START = datetime(2026, 1, 16, 2, 0, tzinfo=UTC)
CAMERA, PHONE, LAPTOP = "00-00-5E-00-53-01", "02-00-5E-00-53-02", "00-00-5E-00-53-03"


async def add_device(postgres: Postgres, mac: str, ip: str = "192.0.2.10", **changes: Any) -> None:
    """Add a device with one address; `changes` are columns of sensor.devices."""
    now = datetime.now(tz=UTC)
    row: dict[str, Any] = {
        "mac": mac,
        "first_seen_at": now - timedelta(hours=2),
        "last_seen_at": now,
        "is_online": True,
        "ip": ip,
        "vendor": "Example Cameras",
        "is_random": False,
        "type": "camera",
        "family": "camera",
        "probability": 0.9,
        "trust": 0.5,
        **changes,
    }
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await postgres.execute(f"INSERT INTO sensor.devices ({', '.join(row)}) VALUES ({places})", *row.values())
    await add_address(postgres, mac, ip, row["first_seen_at"], row["last_seen_at"])


async def add_address(postgres: Postgres, mac: str, ip: str, first: datetime, last: datetime) -> None:
    """Add an address that a device had."""
    await postgres.execute("INSERT INTO sensor.device_addresses VALUES ($1, $2, $3, $4)", mac, ip, first, last)


async def add_flow(
    postgres: Postgres, seconds: float, source: str = "192.0.2.10", destination: str = "198.51.100.20", **fields: Any
) -> str:
    """Add the event of a flow that began so many seconds after START; returns its id."""
    at = START + timedelta(seconds=seconds)
    identity = event_id(to_microseconds(at), source, destination)
    flow: dict[str, Any] = {
        "event.category": "network",
        "event.duration": 1_500_000_000,
        "network.transport": "tcp",
        "source.port": 50_000,
        "destination.ip": destination,
        "destination.port": 443,
        "source.bytes": 100,
        "destination.bytes": 900,
        "source.packets": 2,
        "destination.packets": 3,
        "sakimori.flow.state": "closed",
        **fields,
    }
    await postgres.execute(
        "INSERT INTO collector.events (time, id, dataset, source_ip, fields)"
        " VALUES ($1, $2::text::uuid, 'network.flow', $3::text::inet, $4)",
        at,
        identity,
        source,
        msgspec.json.encode(flow).decode(),
    )
    return identity
