"""The network as the API shows it: devices and sessions. Instants are RFC 3339 in UTC."""

from typing import Any

import msgspec

from sakimori_api_gateway.domain.trust import Trust


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device, by its MAC address. `type` is the operator's word where there is one, else the sensor's guess.

    `probability` belongs to `sensed_type`, what the sensor makes of it; `evidence` says why. `model` is its guess which
    product it is.
    """

    mac: str
    type: str
    sensed_type: str
    family: str | None
    probability: float
    model: str | None
    model_probability: float | None
    description: str | None
    vendor: str | None
    is_random: bool
    hostname: str | None
    os: str | None
    ip: str | None
    is_online: bool
    first_seen_at: str
    last_seen_at: str
    trust: Trust
    evidence: list[Any]
    offers: list[Any]
    uses: list[Any]
    changed_by: str | None
    changed_at: str | None


class DevicePage(msgspec.Struct, frozen=True, kw_only=True):
    """Devices by MAC address. `next_cursor` is None on the last page; `total` is there where it was asked for."""

    devices: list[Device]
    next_cursor: str | None = None
    total: int | None = None


class DeviceStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of devices. `by_vendor` has the 20 most frequent; `discovered_last_day` were first seen within 24 h."""

    total: int
    online: int
    by_type: dict[str, int]
    by_vendor: dict[str, int]
    randomised: int
    discovered_last_day: int


class AddressUse(msgspec.Struct, frozen=True, kw_only=True):
    """An address that a device had."""

    ip: str
    first_seen_at: str
    last_seen_at: str


class HourOfTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """What a device sent and received in an hour, by the flows reported in it."""

    hour: str
    sent_bytes: int
    received_bytes: int
    sent_packets: int
    received_packets: int
    flows: int


class DeviceActivity(msgspec.Struct, frozen=True, kw_only=True):
    """A device's history: addresses by when they were first seen, the latest peers, traffic by hour, oldest first."""

    mac: str
    first_seen_at: str
    last_seen_at: str
    addresses: list[AddressUse]
    peers: list[Any]
    hours: list[HourOfTraffic]


class DeviceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says about a device; None takes an earlier word back."""

    type: str | None
    description: str | None
    trust: float | None


class DeviceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices to list; several filters must all hold. `seen_since` in microseconds."""

    type: str | None = None
    vendor: str | None = None
    ip: str | None = None
    is_online: bool | None = None
    seen_since: int | None = None
    text: str | None = None
    after: str | None = None
    limit: int = 100


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with both its directions; the source spoke first.

    Suspicious: a finding has it as evidence, or is about its source at that time.
    """

    id: str
    started_at: str
    ended_at: str
    duration_seconds: float
    source_ip: str | None
    source_mac: str | None
    source_port: int | None
    destination_ip: str | None
    destination_mac: str | None
    destination_port: int | None
    transport: str | None
    protocol: str | None
    state: str | None
    sent_bytes: int
    received_bytes: int
    sent_packets: int
    received_packets: int
    is_encrypted: bool
    is_suspicious: bool
    community_id: str | None
    observer: str | None


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions, the latest first. `next_cursor` is None on the last page."""

    sessions: list[Session]
    next_cursor: str | None = None


class Talker(msgspec.Struct, frozen=True, kw_only=True):
    """How much an address sent and received, whoever spoke first."""

    ip: str
    sessions: int
    sent_bytes: int
    received_bytes: int


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the sessions that began in a span of time.

    `by_protocol` has the application where it is known, else the transport.
    """

    since: str
    until: str
    sessions: int
    by_protocol: dict[str, int]
    by_transport: dict[str, int]
    encrypted: int
    suspicious: int
    total_bytes: int
    total_packets: int
    top_talkers: list[Talker]


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions to list; several filters must all hold.

    `since` and `until`, in microseconds, bound when they began; `after` is where the last page ended.
    """

    since: int
    until: int
    ip: str | None = None
    mac: str | None = None
    port: int | None = None
    transport: str | None = None
    protocol: str | None = None
    state: str | None = None
    is_encrypted: bool | None = None
    is_suspicious: bool | None = None
    after: tuple[int, str] | None = None
    limit: int = 100
