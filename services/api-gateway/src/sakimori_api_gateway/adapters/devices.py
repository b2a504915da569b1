"""Devices on PostgreSQL: the sensor's through public views, what operators say of them in gateway.device_notes."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from sakimori_api_gateway.adapters.postgres import (
    connection,
    instant,
    moment,
    optional_instant,
    transaction,
    write_entry,
)
from sakimori_api_gateway.domain.network import (
    AddressUse,
    Device,
    DeviceActivity,
    DeviceChange,
    DeviceQuery,
    DeviceStats,
    HourOfTraffic,
)
from sakimori_api_gateway.domain.records import AuditEntry
from sakimori_api_gateway.domain.trust import Blame, TrustReason, assess
from sakimori_api_gateway.ports import Clock, NotFound
from sakimori_common.context import Postgres
from sakimori_common.contracts import FindingStatus, Severity
from sakimori_common.instants import to_datetime, to_microseconds

_FROM = "FROM public.devices AS device LEFT JOIN gateway.device_notes AS note USING (mac)"
_TYPE = "coalesce(note.type, device.type)"
_COLUMNS = f"""
    mac, {_TYPE} AS type, device.type AS sensed_type, family, probability, model,
    model_probability, note.description, vendor, is_random,
    hostname, os, host(ip) AS ip, is_online, first_seen_at, last_seen_at, evidence, offers, uses, device.trust,
    trust_reasons, troubled_at, note.trust AS override, note.changed_by, note.changed_at"""
_SEARCHED = "concat_ws(chr(10), mac, hostname, vendor, host(ip), note.description)"
_ABOUT_A_DEVICE = ["source.ip", "source.mac", "device.ip", "device.mac"]
_BLAMES = """
    SELECT held.mac, rule_id, severity, status, finding.last_seen_at
    FROM (
        SELECT mac, host(ip) AS entity, first_seen_at, last_seen_at + INTERVAL '1 hour' AS until
        FROM public.device_addresses WHERE mac = ANY($1)
        UNION ALL
        SELECT mac, mac, TIMESTAMPTZ '-infinity', TIMESTAMPTZ 'infinity' FROM unnest($1::text[]) AS own (mac)
    ) AS held
    JOIN public.triaged_findings AS finding ON finding.entity = held.entity
        AND finding.first_seen_at <= held.until AND finding.last_seen_at >= held.first_seen_at
    WHERE finding.entity_type = ANY($2) AND finding.last_seen_at > $3::timestamptz - INTERVAL '30 days'
    ORDER BY finding.last_seen_at DESC
    LIMIT 10000"""
"""A finding about an address is about the device that had it then (or had it up to an hour before)."""
_SHOWN_HOURS = 31 * 24
_FREQUENT_VENDORS = 20


class PostgresDeviceStore:
    """Devices with their trust and what operators say about them."""

    def __init__(self, postgres: Postgres, clock: Clock) -> None:
        self._postgres = postgres
        self._clock = clock

    async def page(self, query: DeviceQuery) -> list[Device]:
        """List up to `query.limit` devices by MAC address."""
        condition, values = _where(query, with_cursor=True)
        sql = f"SELECT {_COLUMNS} {_FROM} WHERE {condition} ORDER BY mac LIMIT {int(query.limit)}"
        async with connection(self._postgres) as borrowed:
            return await self._devices(borrowed, await borrowed.fetch(sql, *values))

    async def total(self, query: DeviceQuery) -> int:
        """Count what the query's filters match."""
        condition, values = _where(query, with_cursor=False)
        async with connection(self._postgres) as borrowed:
            return int(await borrowed.fetchval(f"SELECT count(*) {_FROM} WHERE {condition}", *values))

    async def find(self, mac: str) -> Device | None:
        """Look up one device."""
        async with connection(self._postgres) as borrowed:
            return await self._find(borrowed, mac)

    async def stats(self) -> DeviceStats:
        """Count devices."""
        async with connection(self._postgres) as borrowed:
            sums = await borrowed.fetchrow(
                "SELECT count(*) AS total, count(*) FILTER (WHERE is_online) AS online,"
                " count(*) FILTER (WHERE is_random) AS randomised,"
                f" count(*) FILTER (WHERE first_seen_at > $1::timestamptz - INTERVAL '1 day') AS discovered {_FROM}",
                to_datetime(self._clock()),
            )
            types = await borrowed.fetch(f"SELECT {_TYPE} AS name, count(*) AS n {_FROM} GROUP BY 1 ORDER BY 2 DESC, 1")
            vendors = await borrowed.fetch(
                f"SELECT vendor AS name, count(*) AS n {_FROM} WHERE vendor IS NOT NULL"
                f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_FREQUENT_VENDORS}"
            )
        return DeviceStats(
            total=sums["total"],
            online=sums["online"],
            by_type={row["name"]: row["n"] for row in types},
            by_vendor={row["name"]: row["n"] for row in vendors},
            randomised=sums["randomised"],
            discovered_last_day=sums["discovered"],
        )

    async def activity(self, mac: str) -> DeviceActivity | None:
        """Tell a device's history: its addresses (the latest 1,000), peers, and the last 31 days by hour."""
        async with connection(self._postgres) as borrowed:
            row = await borrowed.fetchrow(
                "SELECT first_seen_at, last_seen_at, peers FROM public.devices WHERE mac = $1", mac
            )
            if row is None:
                return None
            addresses = await borrowed.fetch(
                "SELECT host(ip) AS ip, first_seen_at, last_seen_at FROM public.device_addresses WHERE mac = $1"
                " ORDER BY last_seen_at DESC LIMIT 1000",
                mac,
            )
            hours = await borrowed.fetch(
                "SELECT hour, sent_bytes, received_bytes, sent_packets, received_packets, flows"
                f" FROM public.device_hours WHERE mac = $1 ORDER BY hour DESC LIMIT {_SHOWN_HOURS}",
                mac,
            )
        return DeviceActivity(
            mac=mac,
            first_seen_at=instant(row["first_seen_at"]),
            last_seen_at=instant(row["last_seen_at"]),
            addresses=sorted((_address(each) for each in addresses), key=lambda use: (use.first_seen_at, use.ip)),
            peers=msgspec.json.decode(row["peers"]),
            hours=[_hour(each) for each in reversed(hours)],
        )

    async def change(self, mac: str, change: DeviceChange, entry: AuditEntry) -> Device:
        """Note what an operator says, with its audit entry; `old` of the entry is filled in. Raises NotFound."""
        async with transaction(self._postgres) as borrowed:
            if not await borrowed.fetchval("SELECT EXISTS (SELECT FROM public.devices WHERE mac = $1)", mac):
                raise NotFound(f"there is no device {mac}")
            await borrowed.execute(
                "INSERT INTO gateway.device_notes (mac, changed_by) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                mac,
                entry.actor,
            )
            old = await borrowed.fetchrow(
                "SELECT type, description, trust FROM gateway.device_notes WHERE mac = $1 FOR UPDATE", mac
            )
            await borrowed.execute(
                "UPDATE gateway.device_notes"
                " SET type = $2, description = $3, trust = $4, changed_by = $5, changed_at = $6 WHERE mac = $1",
                mac,
                change.type,
                change.description,
                change.trust,
                entry.actor,
                moment(entry.at),
            )
            await write_entry(
                borrowed, msgspec.structs.replace(entry, old=dict(old), new=msgspec.structs.asdict(change))
            )
            changed = await self._find(borrowed, mac)
            if changed is None:
                raise NotFound(f"there is no device {mac}")
            return changed

    async def _find(self, borrowed: Any, mac: str) -> Device | None:
        rows = await borrowed.fetch(f"SELECT {_COLUMNS} {_FROM} WHERE mac = $1", mac)
        return (await self._devices(borrowed, rows))[0] if rows else None

    async def _devices(self, borrowed: Any, rows: Sequence[Any]) -> list[Device]:
        now = self._clock()
        blames: dict[str, list[Blame]] = {row["mac"]: [] for row in rows}
        for found in await borrowed.fetch(_BLAMES, list(blames), _ABOUT_A_DEVICE, to_datetime(now)):
            blames[found["mac"]].append(_blame(found))
        return [_device(row, blames[row["mac"]], now) for row in rows]


def _where(query: DeviceQuery, *, with_cursor: bool) -> tuple[str, list[Any]]:
    conditions, values = ["true"], list[Any]()
    for template, value in _filters(query, with_cursor=with_cursor):
        values.append(value)
        conditions.append(template.format(f"${len(values)}"))
    return " AND ".join(conditions), values


def _filters(query: DeviceQuery, *, with_cursor: bool) -> Iterator[tuple[str, Any]]:
    if query.type is not None:
        yield f"{_TYPE} = {{}}", query.type
    if query.vendor is not None:
        yield "vendor = {}", query.vendor
    if query.ip is not None:
        yield "mac IN (SELECT mac FROM public.device_addresses WHERE ip = {}::text::inet)", query.ip
    if query.is_online is not None:
        yield "is_online = {}", query.is_online
    if query.seen_since is not None:
        yield "last_seen_at >= {}", to_datetime(query.seen_since)
    if query.text:
        yield f"strpos(lower({_SEARCHED}), lower({{}})) > 0", query.text
    if with_cursor and query.after is not None:
        yield "mac > {}", query.after


def _device(row: Any, blames: Sequence[Blame], now: int) -> Device:
    trust = assess(
        row["trust"],
        msgspec.json.decode(row["trust_reasons"], type=list[TrustReason]),
        blames,
        quiet_since=to_microseconds(row["troubled_at"] or row["first_seen_at"]),
        now=now,
        override=row["override"],
    )
    return Device(
        mac=row["mac"],
        type=row["type"],
        sensed_type=row["sensed_type"],
        family=row["family"],
        probability=row["probability"],
        model=row["model"],
        model_probability=row["model_probability"],
        description=row["description"],
        vendor=row["vendor"],
        is_random=row["is_random"],
        hostname=row["hostname"],
        os=row["os"],
        ip=row["ip"],
        is_online=row["is_online"],
        first_seen_at=instant(row["first_seen_at"]),
        last_seen_at=instant(row["last_seen_at"]),
        trust=trust,
        evidence=msgspec.json.decode(row["evidence"]),
        offers=msgspec.json.decode(row["offers"]),
        uses=msgspec.json.decode(row["uses"]),
        changed_by=row["changed_by"],
        changed_at=optional_instant(row["changed_at"]),
    )


def _blame(row: Any) -> Blame:
    status, severity = FindingStatus(row["status"]), Severity(row["severity"])
    return Blame(row["rule_id"], severity, status, to_microseconds(row["last_seen_at"]))


def _address(row: Any) -> AddressUse:
    return AddressUse(
        ip=row["ip"], first_seen_at=instant(row["first_seen_at"]), last_seen_at=instant(row["last_seen_at"])
    )


def _hour(row: Any) -> HourOfTraffic:
    return HourOfTraffic(**{**dict(row), "hour": instant(row["hour"])})
