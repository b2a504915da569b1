"""DHCPv6 messages (RFC 8415): who asks, by which identity, and which addresses and servers it is given."""

from collections.abc import Callable, Sequence
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.dns_names import read_name
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.dhcpv6"
_PORTS: Final = frozenset({546, 547})
_HEADER_BYTES, _RELAY_HEADER_BYTES = 4, 34
_MAX_RELAYS: Final = 8
"""RFC 8415, 7.6: HOP_COUNT_LIMIT."""
_MAX_OPTIONS: Final = 256
_MAX_LIST: Final = 64
_MAX_TEXT: Final = 255

_TYPES: Final = {
    1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply", 8: "release",
    9: "decline", 10: "reconfigure", 11: "information_request", 12: "relay_forward", 13: "relay_reply",
    14: "leasequery", 15: "leasequery_reply", 20: "reconfigure_request", 21: "reconfigure_reply",
}  # fmt: skip
_FROM_SERVER: Final = frozenset({2, 7, 10, 13, 15})
_RELAY_FORWARD, _RELAY_REPLY = 12, 13
_RELAYED: Final = 9
_STATUS: Final = {
    0: "success", 1: "unspecified_failure", 2: "no_addresses", 3: "no_binding", 4: "not_on_link", 5: "use_multicast",
    6: "no_prefixes",
}  # fmt: skip
_LINK_LAYER_DUIDS: Final = {1: 8, 3: 4}
"""DUID-LLT and DUID-LL (RFC 8415, 11): where their link-layer address begins."""


class Dhcpv6:
    """Decodes a conversation: every datagram is a message, and its event's source is who sent it."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read((Message(DATASET, decode_dhcpv6(data), side, is_turned=bool(side)),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_dhcpv6(message: bytes) -> Fields:
    """Decode a message into `dhcpv6.*`, also one that relays carry. Raises Malformed."""
    fields: Fields = {}
    for relays in range(_MAX_RELAYS + 1):
        kind = message[0] if message else 0
        if kind not in _TYPES or len(message) < _HEADER_BYTES:
            raise Malformed("no DHCPv6 message")
        if kind not in {_RELAY_FORWARD, _RELAY_REPLY}:
            break
        if len(message) < _RELAY_HEADER_BYTES:
            raise Malformed("a relayed message is cut")
        fields["dhcpv6.relay_ip"] = ip_text(message[2:18])
        fields["dhcpv6.peer_ip"] = ip_text(message[18:34])
        fields["dhcpv6.relays"] = relays + 1
        message = next((value for code, value in _options(message[_RELAY_HEADER_BYTES:]) if code == _RELAYED), b"")
    else:
        raise Malformed("relayed too often")
    fields["dhcpv6.message_type"] = _TYPES[kind]
    fields["dhcpv6.is_from_server"] = kind in _FROM_SERVER
    fields["dhcpv6.transaction_id"] = int.from_bytes(message[1:4], "big")
    _add_options(fields, message[_HEADER_BYTES:])
    return fields


def _options(area: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(area) and len(found) < _MAX_OPTIONS:
        end = at + 4 + int.from_bytes(area[at + 2 : at + 4], "big")
        if at + 4 > len(area) or end > len(area):
            raise Malformed("an option is cut")
        found.append((area[at] << 8 | area[at + 1], area[at + 4 : end]))
        at = end
    return found


def _add_options(fields: Fields, area: bytes) -> None:
    options = _options(area)
    for code, value in options:
        add = _OPTIONS.get(code)
        if add is not None:
            add(fields, value)
    if options:
        fields["dhcpv6.options"] = ",".join(str(code) for code, _ in options)


def _client(fields: Fields, value: bytes) -> None:
    fields["dhcpv6.client_duid"] = value[:128].hex()
    at = _LINK_LAYER_DUIDS.get(int.from_bytes(value[:2], "big"), 0)
    if at and value[2:4] == b"\x00\x01" and len(value) == at + 6:
        fields["dhcpv6.client_mac"] = mac_text(value[at:])
    if value[:2] == b"\x00\x02" and len(value) >= 6:
        fields["dhcpv6.client_enterprise_number"] = int.from_bytes(value[2:6], "big")


def _server(fields: Fields, value: bytes) -> None:
    fields["dhcpv6.server_duid"] = value[:128].hex()
    at = _LINK_LAYER_DUIDS.get(int.from_bytes(value[:2], "big"), 0)
    if at and value[2:4] == b"\x00\x01" and len(value) == at + 6:
        fields["dhcpv6.server_mac"] = mac_text(value[at:])


def _association(fields: Fields, value: bytes) -> None:
    """Read IA_NA: identity, two times, and options of its own."""
    for code, inner in _options(value[12:]) if len(value) >= 12 else ():
        _inside(fields, code, inner)


def _temporary(fields: Fields, value: bytes) -> None:
    for code, inner in _options(value[4:]) if len(value) >= 4 else ():
        _inside(fields, code, inner)


def _inside(fields: Fields, code: int, value: bytes) -> None:
    if code == 5 and len(value) >= 24:
        _append(fields, "dhcpv6.addresses", ip_text(value[:16]))
        fields["dhcpv6.valid_seconds"] = int.from_bytes(value[20:24], "big")
    elif code == 26 and len(value) >= 25:
        _append(fields, "dhcpv6.prefixes", f"{ip_text(value[9:25])}/{value[8]}")
        fields["dhcpv6.valid_seconds"] = int.from_bytes(value[4:8], "big")
    elif code == 13:
        _status(fields, value)


def _wanted(fields: Fields, value: bytes) -> None:
    codes = [value[at] << 8 | value[at + 1] for at in range(0, len(value) - 1, 2)]
    fields["dhcpv6.fingerprint"] = ",".join(map(str, codes[:_MAX_OPTIONS]))


def _status(fields: Fields, value: bytes) -> None:
    if len(value) >= 2:
        code = value[0] << 8 | value[1]
        fields["dhcpv6.status"] = _STATUS.get(code) or str(code)


def _vendor_class(fields: Fields, value: bytes) -> None:
    """Read option 16: an enterprise, and strings of its own behind their length."""
    if len(value) >= 4:
        fields["dhcpv6.enterprise_number"] = int.from_bytes(value[:4], "big")
        if texts := _strings(value[4:]):
            fields["dhcpv6.vendor_class"] = ",".join(texts)[:_MAX_TEXT]


def _user_class(fields: Fields, value: bytes) -> None:
    if texts := _strings(value):
        fields["dhcpv6.user_class"] = ",".join(texts)[:_MAX_TEXT]


def _strings(value: bytes) -> list[str]:
    texts: list[str] = []
    at = 0
    while at + 2 <= len(value) and len(texts) < _MAX_LIST:
        end = at + 2 + (value[at] << 8 | value[at + 1])
        texts.append(text_of(value[at + 2 : end], _MAX_TEXT))
        at = end
    return texts


def _full_name(fields: Fields, value: bytes) -> None:
    """Read option 39 (RFC 4704): flags and a name, which need not end with the root's label."""
    if len(value) > 1:
        fields["dhcpv6.fqdn"] = read_name(value[1:] + b"\x00", 0)[0]


def _dns_servers(fields: Fields, value: bytes) -> None:
    for at in range(0, min(len(value) - 15, 16 * _MAX_LIST), 16):
        _append(fields, "dhcpv6.dns_servers", ip_text(value[at : at + 16]))


def _search_domains(fields: Fields, value: bytes) -> None:
    at = 0
    for _ in range(_MAX_LIST):
        if at >= len(value):
            return
        name, at = read_name(value, at)
        _append(fields, "dhcpv6.search_domains", name)


def _boot_file(fields: Fields, value: bytes) -> None:
    fields["dhcpv6.boot_file"] = text_of(value, _MAX_TEXT)


def _mud_url(fields: Fields, value: bytes) -> None:
    fields["dhcpv6.mud_url"] = text_of(value, _MAX_TEXT)


def _append(fields: Fields, name: str, value: str) -> None:
    known = fields.setdefault(name, [])
    if isinstance(known, list) and len(known) < _MAX_LIST:
        known.append(value)


_OPTIONS: Final[dict[int, Callable[[Fields, bytes], None]]] = {
    1: _client, 2: _server, 3: _association, 4: _temporary, 6: _wanted, 13: _status, 15: _user_class,
    16: _vendor_class, 23: _dns_servers, 24: _search_domains, 25: _association, 39: _full_name, 59: _boot_file,
    112: _mud_url,
}  # fmt: skip


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Ask for its ports, which nobody changes: the header alone is one byte."""
    is_expected = not _PORTS.isdisjoint((ends.source_port, ends.destination_port))
    return Verdict.YES if is_expected and len(ends.source) == 16 and len(data) >= _HEADER_BYTES else Verdict.NO


PROTOCOL: Final = ProtocolKind("dhcpv6", UDP, _recognise, Dhcpv6, _PORTS, first_bytes=frozenset(_TYPES))
