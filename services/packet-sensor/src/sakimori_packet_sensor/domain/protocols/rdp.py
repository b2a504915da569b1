"""RDP until it is encrypted (MS-RDPBCGR, 2.2.1): the negotiation, and what old clients say of themselves in clear.

One `network.rdp` event a connection. Where both sides agree on TLS, what follows is that.
"""

from collections.abc import Sequence
from struct import Struct, error
from typing import Final

from sakimori_packet_sensor.domain.protocols.certificates import certificate_fields
from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
    CLIENT,
    DONE,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.rdp"
_TPKT: Final = Struct("!BBHBB")
"""Version, reserved, length (RFC 1006); length of X.224's header behind its own, type of the unit."""
_REQUEST, _CONFIRM, _DATA = 0xE0, 0xD0, 0xF0
_FIXED: Final = 11
"""Bytes of a TPKT header with a connection request or confirm that says nothing more."""
_NEGOTIATION: Final = Struct("<BBHI")
_ASKED, _AGREED, _REFUSED = 1, 2, 3
_COOKIE: Final = b"Cookie: mstshash="
_TOKEN: Final = b"Cookie: msts="

_PROTOCOLS: Final = {1: "ssl", 2: "hybrid", 4: "rdstls", 8: "hybrid_ex", 16: "rdsaad"}
_FAILURES: Final = {
    1: "ssl_required_by_server", 2: "ssl_not_allowed_by_server", 3: "ssl_cert_not_on_server", 4: "inconsistent_flags",
    5: "hybrid_required_by_server", 6: "ssl_with_user_auth_required_by_server",
}  # fmt: skip
_CLIENT_KEY: Final = b"Duca"
"""What the client's blocks stand behind (MS-RDPBCGR, 2.2.1.3); the server's behind McDn."""
_SERVER_KEY: Final = b"McDn"
_BLOCK: Final = Struct("<HH")
_CORE: Final = Struct("<IHHHHII32s")
"""Version, width, height, colour depth, SAS sequence, keyboard layout, build, name (2.2.1.3.2)."""
_PRODUCT_AT, _PRODUCT_BYTES = 142, 64
"""Of clientDigProductId in the core data, its header left out."""
_CLIENT_CORE, _CLIENT_NETWORK, _SERVER_SECURITY = 0xC001, 0xC003, 0x0C02
_SECURITY: Final = Struct("<IIII")
"""Method, level, sizes of the server's random number and certificate (2.2.1.4.3)."""
_CHAIN: Final = Struct("<II")
_MAX_CHAIN: Final = 16
_METHODS: Final = {0: "none", 1: "40bit", 2: "128bit", 8: "56bit", 16: "fips"}
_LEVELS: Final = {0: "none", 1: "low", 2: "client_compatible", 3: "high", 4: "fips"}
_MAX_CHANNELS: Final = 31


class RdpDecoder:
    """Follows a connection until both sides have agreed, or the server has answered a client in clear."""

    def __init__(self, ends: Ends) -> None:
        self._fields: Fields = {}
        self._client = CLIENT
        self._time = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take whole TPKT units. Raises Malformed when nothing was understood before."""
        self._time = self._time or time
        at, end = 0, 0
        try:
            while len(data) - at >= _TPKT.size and not end:
                size = int.from_bytes(data[at + 2 : at + 4], "big")
                if data[at] != 3 or size < 7:
                    raise Malformed("no TPKT unit")
                if len(data) - at < size:
                    break
                end = self._unit(side, data[at : at + size])
                at += size
        except Malformed as problem:
            if not self._fields:
                raise
            self._fields |= malformed(problem)
            end = DONE
        return Read(self.finish(), end) if end else Read((), at)

    def finish(self) -> Sequence[Message]:
        """Report what was said until then."""
        if not self._fields:
            return ()
        fields, self._fields = self._fields, {}
        return (Message(_DATASET, fields, self._client, self._time, is_turned=self._client != CLIENT),)

    def _unit(self, side: int, unit: bytes) -> int:
        """Read a unit; returns DONE or AGAIN when nothing more of the connection is to be learnt."""
        kind = unit[5] & 0xF0
        if kind == _REQUEST:
            self._client = side
            self._fields |= _request(unit)
        elif kind == _CONFIRM:
            self._client = 1 - side
            return self._confirm(unit)
        elif kind == _DATA:
            found = _blocks(unit, _CLIENT_KEY if side == self._client else _SERVER_KEY)
            self._fields |= found
            return DONE if side != self._client else 0
        else:
            raise Malformed(f"a unit of type {kind:#x}")
        return 0

    def _confirm(self, unit: bytes) -> int:
        if len(unit) < _FIXED + _NEGOTIATION.size:
            self._fields["rdp.selected_protocol"] = "rdp"
            return 0
        kind, _, size, value = _NEGOTIATION.unpack_from(unit, _FIXED)
        if size != _NEGOTIATION.size or kind not in {_AGREED, _REFUSED}:
            raise Malformed("no answer to the negotiation")
        if kind == _REFUSED:
            self._fields["rdp.failure"] = _FAILURES.get(value, str(value))
            return DONE
        self._fields["rdp.selected_protocol"] = _PROTOCOLS.get(value, str(value)) if value else "rdp"
        return AGAIN if value else 0


def _request(unit: bytes) -> Fields:
    """Read a connection request (2.2.1.1): a cookie or routing token, then what is asked for."""
    fields: Fields = {"rdp.requested_protocols": ["rdp"]}
    at = _FIXED
    if unit.startswith(b"Cookie:", at):
        end = unit.find(b"\r\n", at)
        if end < 0:
            raise Malformed("a cookie without end")
        if unit.startswith(_COOKIE, at):
            fields["rdp.cookie"] = fields["user.name"] = text_of(unit[at + len(_COOKIE) : end].strip(), 255)
        elif unit.startswith(_TOKEN, at):
            fields["rdp.routing_token"] = text_of(unit[at + len(_TOKEN) : end], 255)
        at = end + 2
    if len(unit) - at >= _NEGOTIATION.size and unit[at] == _ASKED:
        _, _, _, asked = _NEGOTIATION.unpack_from(unit, at)
        if asked:
            fields["rdp.requested_protocols"] = [name for bit, name in _PROTOCOLS.items() if asked & bit]
    return fields


def _blocks(unit: bytes, key: bytes) -> Fields:
    """Read the settings in a Connect Initial or Connect Response; of what BER and PER wrap, only the blocks count."""
    at = unit.find(key)
    if at < 0:
        return {}
    at += 4
    at += 2 if unit[at : at + 1] >= b"\x80" else 1
    fields: Fields = {}
    try:
        while at + _BLOCK.size <= len(unit):
            kind, size = _BLOCK.unpack_from(unit, at)
            if size < _BLOCK.size or at + size > len(unit):
                raise Malformed("a block of settings is cut")
            reader = _READERS.get(kind)
            if reader is not None:
                fields |= reader(unit[at + _BLOCK.size : at + size])
            at += size
    except error as problem:
        raise Malformed("a block of settings is cut") from problem
    return fields


def _wide(data: bytes) -> str:
    return text_of(data.decode("utf-16-le", "replace").partition("\x00")[0].encode())


def _client_core(data: bytes) -> Fields:
    version, width, height, _, _, keyboard, build, name = _CORE.unpack_from(data)
    fields: Fields = {
        "rdp.client.version": f"{version >> 16}.{version & 0xFFFF}",
        "rdp.client.build": build,
        "rdp.client.name": _wide(name),
        "rdp.client.keyboard_layout": f"0x{keyboard:08x}",
        "rdp.client.desktop_width": width,
        "rdp.client.desktop_height": height,
    }
    if product := _wide(data[_PRODUCT_AT : _PRODUCT_AT + _PRODUCT_BYTES]):
        fields["rdp.client.product_id"] = product
    return fields


def _client_network(data: bytes) -> Fields:
    count = int.from_bytes(data[:4], "little")
    names = [data[at : at + 8].partition(b"\x00")[0] for at in range(4, min(len(data) - 11, 12 * _MAX_CHANNELS), 12)]
    return {"rdp.client.channels": [text_of(name) for name in names[:count]]} if names else {}


def _server_security(data: bytes) -> Fields:
    method, level, *sizes = _SECURITY.unpack_from(data.ljust(_SECURITY.size, b"\x00"))
    fields: Fields = {
        "rdp.encryption_method": _METHODS.get(method, str(method)),
        "rdp.encryption_level": _LEVELS.get(level, str(level)),
    }
    start = _SECURITY.size + sizes[0]
    return fields | _certificate(data[start : start + sizes[1]])


def _certificate(data: bytes) -> Fields:
    """Read the server's own certificate, the last of a chain (2.2.1.4.3.1.2); empty where it has a bare key."""
    if len(data) < _CHAIN.size:
        return {}
    version, count = _CHAIN.unpack_from(data)
    der, at = b"", _CHAIN.size
    for _ in range(min(count, _MAX_CHAIN) if version & 0x7FFFFFFF == 2 else 0):
        size = int.from_bytes(data[at : at + 4], "little")
        der = data[at + 4 : at + 4 + size]
        at += 4 + size
    return {f"rdp.server.{name}": value for name, value in certificate_fields(der).items()} if der else {}


_READERS: Final = {
    _CLIENT_CORE: _client_core,
    _CLIENT_NETWORK: _client_network,
    _SERVER_SECURITY: _server_security,
}


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a connection request or confirm by what RDP puts behind X.224's header; a bare one by its port only."""
    if not data.startswith(b"\x03\x00"[: len(data)]):
        return Verdict.NO
    if len(data) < _FIXED:
        return Verdict.MORE
    _, _, size, header, kind = _TPKT.unpack_from(data)
    if kind not in {_REQUEST, _CONFIRM} or header + 5 > size or size < _FIXED:
        return Verdict.NO
    rest = data[_FIXED:size]
    if not rest:
        return Verdict.YES if size == _FIXED and 3389 in ends[2:] else Verdict.NO
    if kind == _REQUEST and rest.startswith(b"Cookie: msts"[: len(rest)]):
        return Verdict.YES if len(rest) > 11 else Verdict.MORE
    wanted = {_ASKED} if kind == _REQUEST else {_AGREED, _REFUSED}
    is_one = rest[0] in wanted and rest[2:4] == b"\x08\x00"
    return Verdict.YES if is_one else Verdict.NO


PROTOCOL = ProtocolKind(
    name="rdp",
    transport=TCP,
    recognise=recognise,
    decoder=RdpDecoder,
    ports=frozenset({3389}),
    first_bytes=frozenset({3}),
    is_encrypted=True,
    buffer_bytes=65_536,
)
