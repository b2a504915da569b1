"""DHCP messages (RFC 2131) and the options that tell one device from another (RFC 2132, RFC 4702)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sakimori_packet_sensor.domain.protocols.dns_names import read_name
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_FIXED_BYTES: Final = 240
_COOKIE: Final = b"\x63\x82\x53\x63"
_SERVER_NAME, _BOOT_FILE = slice(44, 108), slice(108, 236)
_NOWHERE: Final = b"\x00\x00\x00\x00"
_MAX_TEXT: Final = 255

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


@dataclass(slots=True)
class DhcpMessage:
    """A message about one client. Empty where the message does not say.

    `client_mac` and `client_id` (option 61, with its type byte) tell who it is; `client_ip` is the address it has,
    `requested_ip` the one it asks for, `your_ip` the one it is given. `fingerprint` lists the requested parameters.
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
        hostname=_text(options.get(_HOST_NAME, b"")) or _full_name(options.get(_FULL_NAME, b"")),
        vendor_class=_text(options.get(_VENDOR_CLASS, b"")),
        fingerprint=",".join(map(str, options.get(_PARAMETERS, b""))),
    )


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
    at = 0
    while at < len(area) and area[at] != 255:
        if area[at] == 0:
            at += 1
            continue
        if at + 2 > len(area) or at + 2 + area[at + 1] > len(area):
            return
        value = area[at + 2 : at + 2 + area[at + 1]]
        into[area[at]] = into.get(area[at], b"") + value
        at += 2 + len(value)


def _address(raw: bytes) -> bytes:
    return raw if len(raw) == 4 and raw != _NOWHERE else b""


def _text(raw: bytes) -> str:
    text = raw.rstrip(b"\x00").decode("utf-8", "replace")[:_MAX_TEXT]
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _full_name(raw: bytes) -> str:
    """Read option 81: flags, two result codes, and the name, as text or (flag E) as in a DNS message."""
    if len(raw) < 4:
        return ""
    if not raw[0] & 0x04:
        return _text(raw[3:])
    try:
        return read_name(raw[3:] + b"\x00", 0)[0]  # a partial name has no root label
    except Malformed:
        return ""
