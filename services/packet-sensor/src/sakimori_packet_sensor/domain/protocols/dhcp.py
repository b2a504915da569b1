"""DHCP messages (RFC 2131): who wants an address, who gives it, and what comes with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.dhcp_options import full_name, numbers, option_fields, printable
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.dhcp"
_PORTS: Final = frozenset({67, 68})

_FIXED_BYTES: Final = 240
_COOKIE: Final = b"\x63\x82\x53\x63"
_SERVER_NAME, _BOOT_FILE = slice(44, 108), slice(108, 236)
_NOWHERE: Final = b"\x00\x00\x00\x00"
_HEADER = Struct("!BBBBIHH")
_MOST_OPTIONS: Final = 1024
"""Options of a message, repeated ones included; more than fit a datagram of 1,500 bytes that carries anything."""

_PAD, _END = 0, 255
_HOST_NAME, _REQUESTED_ADDRESS, _OVERLOAD, _MESSAGE_TYPE, _PARAMETERS = 12, 50, 52, 53, 55
_VENDOR_CLASS, _CLIENT_ID, _FULL_NAME = 60, 61, 81


class DhcpType(IntEnum):
    """Kinds of message, by option 53; BOOTP is what has none."""

    BOOTP = 0
    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8
    FORCE_RENEW = 9
    LEASE_QUERY = 10
    LEASE_UNASSIGNED = 11
    LEASE_UNKNOWN = 12
    LEASE_ACTIVE = 13


@dataclass(slots=True)
class DhcpMessage:
    """A message about one client. Empty where the message does not say.

    `client_mac` and `client_id` (option 61, with its type byte) tell who it is; `client_ip` is the address it has,
    `requested_ip` the one it asks for, `your_ip` the one it is given. `fingerprint` lists the requested parameters,
    `options` has the raw value of every option in the order of their first occurrence.
    """

    kind: DhcpType
    is_from_client: bool
    client_mac: bytes
    client_ip: bytes
    your_ip: bytes
    requested_ip: bytes
    client_id: bytes
    hostname: str
    vendor_class: str
    fingerprint: str
    options: dict[int, bytes]


def decode_dhcp(message: bytes) -> DhcpMessage:
    """Decode a message; options that are cut are left out. Raises Malformed."""
    if len(message) < _FIXED_BYTES or message[236:240] != _COOKIE or message[0] not in {1, 2}:
        raise Malformed("no DHCP message")
    options = _options(message)
    kind = options.get(_MESSAGE_TYPE, b"\x00")[:1]
    try:
        message_type = DhcpType(kind[0])
    except (ValueError, IndexError):
        raise Malformed("no such type of message") from None
    is_ethernet = (message[1], message[2]) == (1, 6)
    return DhcpMessage(
        kind=message_type,
        is_from_client=message[0] == 1,
        client_mac=message[28:34] if is_ethernet else b"",
        client_ip=_address(message[12:16]),
        your_ip=_address(message[16:20]),
        requested_ip=_address(options.get(_REQUESTED_ADDRESS, b"")),
        client_id=options.get(_CLIENT_ID, b""),
        hostname=printable(options.get(_HOST_NAME, b"")) or full_name(options.get(_FULL_NAME, b"")),
        vendor_class=printable(options.get(_VENDOR_CLASS, b"")),
        fingerprint=numbers(options.get(_PARAMETERS, b"")),
        options=options,
    )


class Dhcp:
    """Decodes a conversation: every datagram is a message, and its event's source is who sent it."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        message = decode_dhcp(data)
        fields = _fields(message, data)
        if not message.is_from_client:
            fields["dhcp.server_ip"] = ip_text(self._ends.destination if side else self._ends.source)
        return Read((Message(DATASET, fields, side, is_turned=bool(side)),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def _fields(message: DhcpMessage, raw: bytes) -> Fields:
    _, _, _, hops, transaction, seconds, flags = _HEADER.unpack_from(raw)
    fields: Fields = {
        "dhcp.message_type": message.kind.name.lower(),
        "dhcp.is_from_server": not message.is_from_client,
        "dhcp.transaction_id": transaction,
        "dhcp.seconds": seconds,
        "dhcp.is_broadcast_wanted": bool(flags & 0x8000),
    }
    if hops:
        fields["dhcp.hops"] = hops
    for name, address in (
        ("dhcp.client_ip", message.client_ip),
        ("dhcp.assigned_ip", message.your_ip),
        ("dhcp.next_server_ip", _address(raw[20:24])),
        ("dhcp.relay_ip", _address(raw[24:28])),
    ):
        if address:
            fields[name] = ip_text(address)
    if message.client_mac:
        fields["dhcp.client_mac"] = mac_text(message.client_mac)
    _add_boot_fields(fields, message, raw)
    fields |= option_fields(message.options)
    if message.options:
        fields["dhcp.options"] = numbers(bytes(message.options))
    return fields


def _add_boot_fields(fields: Fields, message: DhcpMessage, raw: bytes) -> None:
    """Read the fixed fields, unless option 52 gave them up for options."""
    overload = message.options.get(_OVERLOAD, b"\x00")[:1]
    for name, place, givers in (
        ("dhcp.server_name", _SERVER_NAME, b"\x02\x03"),
        ("dhcp.boot_file", _BOOT_FILE, b"\x01\x03"),
    ):
        if raw[place.start] and overload not in givers:
            fields[name] = text_of(raw[place].partition(b"\x00")[0])


def _options(message: bytes) -> dict[int, bytes]:
    """Read the options; those that occur several times are joined (RFC 3396), also in overloaded fields (option 52)."""
    options: dict[int, bytes] = {}
    _read_options(message[_FIXED_BYTES:], options)
    overload = options.get(_OVERLOAD, b"\x00")[:1]
    if overload in {b"\x01", b"\x03"}:
        _read_options(message[_BOOT_FILE], options)
    if overload in {b"\x02", b"\x03"}:
        _read_options(message[_SERVER_NAME], options)
    return options


def _read_options(area: bytes, into: dict[int, bytes]) -> None:
    at, size = 0, len(area)
    for _ in range(_MOST_OPTIONS):
        while at < size and area[at] == _PAD:
            at += 1
        if at + 2 > size or area[at] == _END:
            return
        end = at + 2 + area[at + 1]
        if end > size:
            return
        code = area[at]
        into[code] = into.get(code, b"") + area[at + 2 : end]
        at = end


def _address(raw: bytes) -> bytes:
    return raw if len(raw) == 4 and raw != _NOWHERE else b""


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Look for the cookie (RFC 2131, 3), which with a sane header is sure enough on any port."""
    if data[236:240] == _COOKIE and data[0] in {1, 2} and data[2] <= 16:
        return Verdict.YES
    is_expected = not _PORTS.isdisjoint((ends.source_port, ends.destination_port))
    return Verdict.YES if is_expected and data[0] in {1, 2} and len(data) >= _FIXED_BYTES - 4 else Verdict.NO


PROTOCOL: Final = ProtocolKind("dhcp", UDP, _recognise, Dhcp, _PORTS, first_bytes=frozenset({1, 2}))
