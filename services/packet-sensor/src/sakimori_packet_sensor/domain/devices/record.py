"""A device as plain values: what is stored, and what its events say."""

import msgspec

from sakimori_common.contracts import FieldValue
from sakimori_common.ids import stable_id
from sakimori_common.instants import format_instant
from sakimori_packet_sensor.domain.devices.device import Address, Device, Hour
from sakimori_packet_sensor.domain.devices.opinion import RANDOM, Opinion
from sakimori_packet_sensor.domain.devices.trust import Reason, Trust, with_quiet_days

Fields = dict[str, FieldValue]


class HeldAddress(msgspec.Struct, frozen=True):
    """An IP address and when it was seen, in microseconds."""

    ip: str
    first_seen: int
    last_seen: int
    is_claimed: bool


class Activity(msgspec.Struct, frozen=True):
    """Traffic of an hour, which began at `hour` (microseconds)."""

    hour: int
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int
    flows: int


class DeviceRecord(msgspec.Struct, frozen=True):
    """All that is to be kept of a device. Times are microseconds since the epoch."""

    id: str
    mac: str
    vendor: str
    is_random: bool
    is_online: bool
    hostname: str
    type: str
    type_probability: float
    family: str
    product: str
    product_probability: float
    evidence: tuple[str, ...]
    system: str
    offered: tuple[str, ...]
    used: tuple[str, ...]
    peers: tuple[str, ...]
    first_seen: int
    last_seen: int
    addresses: tuple[HeldAddress, ...]
    trust: float
    """By sight alone, without quiet days."""
    trust_reasons: tuple[Reason, ...]
    hours: tuple[Activity, ...]
    signs: tuple[str, ...]
    counts: dict[str, int]
    troubled_at: int = 0


_NAMES = ("dhcp", "mdns", "nbns")
"""Whose word about the host name counts first."""


def device_id(mac: str) -> str:
    """Name a device; the same for the same MAC address everywhere."""
    return stable_id("device", mac.upper())


def record_of(device: Device, opinion: Opinion, trust: Trust) -> DeviceRecord:
    """Write down a device."""
    return DeviceRecord(
        id=device_id(device.mac),
        mac=device.mac,
        vendor=device.manufacturer,
        is_random=device.manufacturer == RANDOM,
        is_online=device.is_online,
        hostname=next((device.names[name] for name in _NAMES if name in device.names), ""),
        type=opinion.type,
        type_probability=opinion.type_probability,
        family=opinion.family,
        product=opinion.product,
        product_probability=opinion.product_probability,
        evidence=opinion.evidence,
        system=opinion.system,
        offered=tuple(device.offered),
        used=tuple(device.used),
        peers=tuple(sorted(device.peers, key=lambda ip: (-device.peers[ip], ip))),
        first_seen=device.first_seen,
        last_seen=device.last_seen,
        addresses=tuple(
            HeldAddress(ip, held.first_seen, held.last_seen, held.is_claimed)
            for ip, held in sorted(device.addresses.items(), key=lambda item: (-item[1].last_seen, item[0]))
        ),
        trust=trust.score,
        trust_reasons=trust.reasons,
        hours=tuple(
            Activity(start, hour.bytes_in, hour.bytes_out, hour.packets_in, hour.packets_out, hour.flows)
            for start, hour in sorted(device.hours.items())
        ),
        signs=tuple(device.all_signs()),
        counts=dict(sorted(device.counts.items())),
        troubled_at=device.troubled_at,
    )


def restored(record: DeviceRecord) -> Device:
    """Make a device of what was written down; what only memory had (peers' bytes) begins anew."""
    device = Device(record.mac, record.first_seen, record.vendor)
    device.last_seen, device.troubled_at, device.is_online = record.last_seen, record.troubled_at, record.is_online
    for held in record.addresses:
        device.addresses[held.ip] = Address(held.first_seen, held.last_seen, held.is_claimed)
    if record.hostname:
        device.names["dhcp"] = record.hostname
    for sign in record.signs:
        device.show(sign)
    for service in record.offered:
        device.offer(service)
    for service in record.used:
        device.use(service)
    for ip in record.peers:
        device.meet(ip, 0)
    for hour in record.hours:
        device.hours[hour.hour] = Hour(hour.bytes_in, hour.bytes_out, hour.packets_in, hour.packets_out, hour.flows)
    device.counts.update(record.counts)
    device.is_carrier = "role:carrier" in record.signs
    return device


def fields_of(record: DeviceRecord, now: int) -> Fields:
    """Write the fields of its events (docs/reference/fields.md); those without value are left out."""
    by_sight = Trust(record.trust, record.trust_reasons)
    trusted = with_quiet_days(by_sight, now, record.first_seen, record.troubled_at)
    fields: Fields = {
        "device.id": record.id,
        "device.mac": record.mac,
        "device.ip": [held.ip for held in record.addresses],
        "device.hostname": record.hostname,
        "device.manufacturer": record.vendor,
        "device.type": record.type,
        "device.model.name": record.product,
        "sakimori.device.type_probability": record.type_probability,
        "sakimori.device.model_probability": record.product_probability if record.product else None,
        "sakimori.device.family": record.family,
        "sakimori.device.evidence": [*record.evidence],
        "sakimori.device.os": record.system,
        "sakimori.device.services_offered": [*record.offered],
        "sakimori.device.services_used": [*record.used],
        "sakimori.device.peers": [*record.peers],
        "sakimori.device.first_seen": format_instant(record.first_seen),
        "sakimori.device.last_seen": format_instant(record.last_seen),
        "sakimori.device.bytes_in": sum(hour.bytes_in for hour in record.hours),
        "sakimori.device.bytes_out": sum(hour.bytes_out for hour in record.hours),
        "sakimori.device.packets": sum(hour.packets_in + hour.packets_out for hour in record.hours),
        "sakimori.device.flows": sum(hour.flows for hour in record.hours),
        "sakimori.device.trust": trusted.score,
        "sakimori.device.trust_reasons": [f"{text} ({weight:+.2f})" for text, weight in trusted.reasons],
    }
    return {name: value for name, value in fields.items() if value not in ("", None, [])}
