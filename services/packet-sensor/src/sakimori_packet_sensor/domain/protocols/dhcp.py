"""DHCP messages (RFC 2131): who wants an address, who gives it, and what comes with it."""

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.dhcp_options import numbers, option_fields
from sakimori_packet_sensor.domain.protocols.framing import malformed
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
_OVERLOAD, _MESSAGE_TYPE = 52, 53
_TYPES: Final = {
    0: "bootp", 1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform",
    9: "force_renew", 10: "lease_query", 11: "lease_unassigned", 12: "lease_unknown", 13: "lease_active",
}  # fmt: skip
"""By option 53; BOOTP is what has none."""
_ADDRESSES: Final = {
    "dhcp.client_ip": 12,
    "dhcp.assigned_ip": 16,
    "dhcp.next_server_ip": 20,
    "dhcp.relay_ip": 24,
}


class Dhcp:
    """Decodes a conversation: every datagram is a message, and its event's source is who sent it."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        fields = decode_dhcp(data)
        if fields["dhcp.is_from_server"]:
            fields["dhcp.server_ip"] = ip_text(self._ends.destination if side else self._ends.source)
        return Read((Message(DATASET, fields, side, is_turned=bool(side)),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_dhcp(message: bytes) -> Fields:
    """Decode a message into `dhcp.*`; options that are cut are left out. Raises Malformed."""
    if len(message) < _FIXED_BYTES or message[236:240] != _COOKIE or message[0] not in {1, 2}:
        raise Malformed("no DHCP message")
    operation, hardware, hardware_bytes, hops, transaction, seconds, flags = _HEADER.unpack_from(message)
    options = _options(message)
    fields: Fields = {
        "dhcp.message_type": "",
        "dhcp.is_from_server": operation == 2,
        "dhcp.transaction_id": transaction,
        "dhcp.seconds": seconds,
        "dhcp.is_broadcast_wanted": bool(flags & 0x8000),
    }
    if hops:
        fields["dhcp.hops"] = hops
    if (hardware, hardware_bytes) == (1, 6):
        fields["dhcp.client_mac"] = mac_text(message[28:34])
    for name, at in _ADDRESSES.items():
        if (address := message[at : at + 4]) != _NOWHERE:
            fields[name] = ip_text(address)
    _add_boot_fields(fields, options, message)
    fields |= option_fields(options)
    if options:
        fields["dhcp.options"] = numbers(bytes(options))
    _add_type(fields, options)
    return fields


def _add_type(fields: Fields, options: Mapping[int, bytes]) -> None:
    raw = options.get(_MESSAGE_TYPE, b"\x00")
    name = _TYPES.get(raw[0], "") if len(raw) == 1 else ""
    fields["dhcp.message_type"] = name or numbers(raw[:1])
    if not name:
        fields |= malformed("no such type of message")


def _add_boot_fields(fields: Fields, options: Mapping[int, bytes], raw: bytes) -> None:
    """Read the fixed fields, unless option 52 gave them up for options."""
    overload = options.get(_OVERLOAD, b"\x00")[:1]
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


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Look for the cookie (RFC 2131, 3), which with a sane header is sure enough on any port."""
    if data[236:240] == _COOKIE and data[0] in {1, 2} and data[2] <= 16:
        return Verdict.YES
    is_expected = not _PORTS.isdisjoint((ends.source_port, ends.destination_port))
    return Verdict.YES if is_expected and data[0] in {1, 2} and len(data) >= _FIXED_BYTES - 4 else Verdict.NO


PROTOCOL: Final = ProtocolKind("dhcp", UDP, _recognise, Dhcp, _PORTS, first_bytes=frozenset({1, 2}))
