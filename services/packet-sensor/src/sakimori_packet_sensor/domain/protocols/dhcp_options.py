"""DHCP options (RFC 2132 and later) as fields: what an address comes with, and what a client says of itself."""

from collections.abc import Callable, Mapping
from typing import Final

from sakimori_common.contracts import FieldValue
from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.dns_names import read_name
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_MAX_TEXT: Final = 255
_MAX_LIST: Final = 64
_ENCODED: Final = 0x04
"""Flag E of option 81 (RFC 4702, 2.1): the name is written as in a DNS message."""

Write = Callable[[bytes], FieldValue]


def option_fields(options: Mapping[int, bytes]) -> Fields:
    """Write the options that have a field; one that is empty or of a wrong length is left out."""
    fields: Fields = {}
    for code, raw in options.items():
        known = _OPTIONS.get(code)
        if known is not None and raw:
            value = known[1](raw)
            if value not in ("", None, []):
                fields[known[0]] = value
    return fields


def _printable(raw: bytes) -> str:
    """Write text; some clients end it with a zero."""
    return text_of(raw.rstrip(b"\x00"), _MAX_TEXT)


def numbers(raw: bytes) -> str:
    """Write a list of option codes, as devices are told apart by."""
    return ",".join(map(str, raw))


def _full_name(raw: bytes) -> str:
    """Read option 81: flags, two result codes, and the name, as text or (flag E) as in a DNS message."""
    if len(raw) < 4:
        return ""
    if not raw[0] & _ENCODED:
        return _printable(raw[3:])
    try:
        return read_name(raw[3:] + b"\x00", 0)[0]  # a partial name has no root label
    except Malformed:
        return ""


def _number(raw: bytes) -> int | None:
    return int.from_bytes(raw, "big") if len(raw) in {1, 2, 4} else None


def _address(raw: bytes) -> str:
    return ip_text(raw) if len(raw) == 4 else ""


def _addresses(raw: bytes) -> FieldValue:
    return [ip_text(raw[at : at + 4]) for at in range(0, min(len(raw) - 3, 4 * _MAX_LIST), 4)]


def _user_class(raw: bytes) -> str:
    """Read option 77: strings behind their length (RFC 3004), or, from many clients, just text."""
    parts, at = [], 0
    while at < len(raw) and raw[at] and at + 1 + raw[at] <= len(raw):
        parts.append(_printable(raw[at + 1 : at + 1 + raw[at]]))
        at += 1 + raw[at]
    return ",".join(parts)[:_MAX_TEXT] if at == len(raw) else _printable(raw)


def _search_list(raw: bytes) -> FieldValue:
    """Read option 119 (RFC 3397): names as in a DNS message."""
    names: list[str] = []
    at = 0
    while at < len(raw) and len(names) < _MAX_LIST:
        try:
            name, at = read_name(raw, at)
        except Malformed:
            break
        names.append(name)
    return [*names]


def _routes(raw: bytes) -> FieldValue:
    """Read option 121 (RFC 3442): `198.51.100.0/24 via 192.0.2.1`."""
    routes: list[str] = []
    at = 0
    while at < len(raw) and len(routes) < _MAX_LIST:
        width = raw[at]
        end = at + 1 + (width + 7) // 8
        if width > 32 or end + 4 > len(raw):
            break
        network = raw[at + 1 : end].ljust(4, b"\x00")
        routes.append(f"{ip_text(network)}/{width} via {ip_text(raw[end : end + 4])}")
        at = end + 4
    return [*routes]


def _vendor(raw: bytes) -> FieldValue:
    """Read option 124 or 125 (RFC 3925): the number of the enterprise that what follows is defined by."""
    return int.from_bytes(raw[:4], "big") if len(raw) >= 4 else None


_OPTIONS: Final[dict[int, tuple[str, Write]]] = {
    1: ("dhcp.subnet_mask", _address),
    3: ("dhcp.routers", _addresses),
    6: ("dhcp.dns_servers", _addresses),
    12: ("dhcp.hostname", _printable),
    15: ("dhcp.domain", _printable),
    42: ("dhcp.ntp_servers", _addresses),
    50: ("dhcp.requested_ip", _address),
    51: ("dhcp.lease_seconds", _number),
    54: ("dhcp.server_id", _address),
    55: ("dhcp.fingerprint", numbers),
    56: ("dhcp.message", _printable),
    57: ("dhcp.max_message_bytes", _number),
    58: ("dhcp.renewal_seconds", _number),
    59: ("dhcp.rebinding_seconds", _number),
    60: ("dhcp.vendor_class", _printable),
    61: ("dhcp.client_id", bytes.hex),
    66: ("dhcp.tftp_server", _printable),
    67: ("dhcp.boot_file", _printable),
    77: ("dhcp.user_class", _user_class),
    81: ("dhcp.fqdn", _full_name),
    82: ("dhcp.relay_information", bytes.hex),
    93: ("dhcp.client_architecture", _number),
    114: ("dhcp.captive_portal", _printable),
    119: ("dhcp.search_domains", _search_list),
    121: ("dhcp.static_routes", _routes),
    124: ("dhcp.enterprise_number", _vendor),
    125: ("dhcp.enterprise_number", _vendor),
    161: ("dhcp.mud_url", _printable),
    252: ("dhcp.proxy_configuration", _printable),
}
