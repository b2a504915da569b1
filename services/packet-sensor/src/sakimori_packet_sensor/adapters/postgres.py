"""Devices in PostgreSQL: one row a MAC address, its addresses, its traffic by hour."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from sakimori_common.context import Postgres
from sakimori_common.instants import to_datetime
from sakimori_common.postgres import CONNECTION_ERRORS, unavailable
from sakimori_packet_sensor.domain.devices.record import DeviceRecord

_AWAY: Final = (
    *CONNECTION_ERRORS,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
_REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)

_COLUMNS: Final = (
    "mac", "first_seen_at", "last_seen_at", "is_online", "ip", "hostname", "vendor", "is_random", "type", "family",
    "probability", "model", "model_probability", "os", "evidence", "offers", "uses", "peers", "trust", "trust_reasons",
    "troubled_at", "memory",
)  # fmt: skip
_SAVE: Final = f"""
INSERT INTO sensor.devices AS known ({", ".join(_COLUMNS)})
VALUES ({", ".join("$5::text::inet" if name == "ip" else f"${place}" for place, name in enumerate(_COLUMNS, 1))})
ON CONFLICT (mac) DO UPDATE SET
    first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])},
    updated_at = now()
"""
_SAVE_ADDRESS: Final = """
INSERT INTO sensor.device_addresses AS known (mac, ip, first_seen_at, last_seen_at)
VALUES ($1, $2::text::inet, $3, $4)
ON CONFLICT (mac, ip) DO UPDATE SET
    first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at)
"""
_SUMS: Final = ("sent_bytes", "received_bytes", "sent_packets", "received_packets", "flows")
_SAVE_HOUR: Final = f"""
INSERT INTO sensor.device_hours AS known (mac, hour, {", ".join(_SUMS)}) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (mac, hour) DO UPDATE SET {", ".join(f"{name} = greatest(known.{name}, excluded.{name})" for name in _SUMS)}
"""
_AT_ONCE: Final = 200
_EXPIRE_AT_ONCE: Final = 10_000


class PostgresDeviceStore:
    """DeviceStore in the schema `sensor`. Remembers what it wrote last, so that only what is new goes out again."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._written: dict[str, DeviceRecord] = {}

    async def load(self, most: int) -> list[DeviceRecord]:
        """Read the devices heard of last, at most so many, the latest last. What another version wrote is left out."""
        sql = "SELECT memory FROM sensor.devices WHERE memory IS NOT NULL ORDER BY last_seen_at DESC LIMIT $1"
        try:
            rows = await self._postgres.fetch(sql, most)
        except _AWAY as error:
            raise unavailable(error) from error
        records = [record for row in reversed(rows) if (record := _remembered(row["memory"])) is not None]
        self._written = {record.mac: record for record in records}
        return records

    async def save(self, records: Sequence[DeviceRecord]) -> list[str]:
        """Write devices, as whole or not at all; returns the MAC addresses of those that the database refused.

        Raises Unavailable: hand the same in again.
        """
        refused: list[str] = []
        for start in range(0, len(records), _AT_ONCE):
            part = records[start : start + _AT_ONCE]
            try:
                await self._save(part)
            except _REFUSED:
                refused += await self._save_singly(part)
        return refused

    async def expire(self, days: int) -> None:
        """Delete traffic by hour that is older, some at a time. Raises Unavailable."""
        deleted = _EXPIRE_AT_ONCE
        while deleted == _EXPIRE_AT_ONCE:
            try:
                deleted = await self._postgres.fetchval(
                    "SELECT sensor.expire_device_hours(now() - make_interval(days => $1), $2)", days, _EXPIRE_AT_ONCE
                )
            except _AWAY as error:
                raise unavailable(error) from error

    async def _save(self, records: Sequence[DeviceRecord]) -> None:
        before = {record.mac: self._written.get(record.mac) for record in records}
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                await connection.executemany(_SAVE, [_row(record) for record in records])
                await connection.executemany(_SAVE_ADDRESS, _news(records, before, _addresses))
                await connection.executemany(_SAVE_HOUR, _news(records, before, _hours))
        except _AWAY as error:
            raise unavailable(error) from error
        self._written.update((record.mac, record) for record in records)

    async def _save_singly(self, records: Sequence[DeviceRecord]) -> list[str]:
        """Find out which of them the database refuses."""
        refused = []
        for record in records:
            try:
                await self._save([record])
            except _REFUSED:
                refused.append(record.mac)
        return refused


def _remembered(memory: bytes) -> DeviceRecord | None:
    try:
        return msgspec.msgpack.decode(memory, type=DeviceRecord)
    except msgspec.MsgspecError:
        return None


def _news(
    records: Sequence[DeviceRecord],
    before: dict[str, DeviceRecord | None],
    rows: Callable[[DeviceRecord], list[tuple[Any, ...]]],
) -> list[tuple[Any, ...]]:
    """List the rows that are not as they were written last."""
    found: list[tuple[Any, ...]] = []
    for record in records:
        earlier = before[record.mac]
        known = set(rows(earlier)) if earlier is not None else set()
        found += [row for row in rows(record) if row not in known]
    return found


def _row(record: DeviceRecord) -> tuple[Any, ...]:
    return (
        record.mac,
        to_datetime(record.first_seen),
        to_datetime(record.last_seen),
        record.is_online,
        record.addresses[0].ip if record.addresses else None,
        _text(record.hostname),
        None if record.is_random else _text(record.vendor),
        record.is_random,
        _text(record.type) or "unknown",
        _text(record.family),
        record.type_probability,
        _text(record.product),
        record.product_probability if record.product else None,
        _text(record.system),
        _list(record.evidence),
        _list(record.offered),
        _list(record.used),
        _list(record.peers),
        record.trust,
        _json([{"what": _text(text) or "", "effect": effect} for text, effect in record.trust_reasons]),
        to_datetime(record.troubled_at) if record.troubled_at else None,
        _memory(record),
    )


def _memory(record: DeviceRecord) -> bytes | None:
    """Encode for `load`; None for one with a text that is none, which is then discovered anew after a restart."""
    try:
        return msgspec.msgpack.encode(record)
    except UnicodeEncodeError:
        return None


def _addresses(record: DeviceRecord) -> list[tuple[Any, ...]]:
    return [
        (record.mac, held.ip, to_datetime(held.first_seen), to_datetime(held.last_seen)) for held in record.addresses
    ]


def _hours(record: DeviceRecord) -> list[tuple[Any, ...]]:
    return [
        (record.mac, to_datetime(at.hour), at.bytes_out, at.bytes_in, at.packets_out, at.packets_in, at.flows)
        for at in record.hours
    ]


def _text(text: str) -> str | None:
    """Leave out what PostgreSQL refuses in a text; None for none."""
    return text.replace("\0", "").encode("utf-8", "replace").decode() or None


def _list(texts: Sequence[str]) -> str:
    return _json([_text(text) or "" for text in texts])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
