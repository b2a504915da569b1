"""DCE/RPC (C706, 12; MS-RPCE, 2.2): which interface a client binds to, and which operations it calls.

Over TCP by itself, and over named pipes for SMB. One `network.dcerpc` event a bind, and one for the first call of each
operation; what is called is a number, and a name where the interface is one that matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct, error
from typing import Final
from uuid import UUID

from sakimori_packet_sensor.domain.protocols.contract import TCP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.dcerpc_names import INTERFACES
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.ntlm import ntlm_fields

DATASET: Final = "network.dcerpc"
HEADER_BYTES: Final = 16
_HEADERS: Final = (Struct(">BBBBIHHI"), Struct("<BBBBIHHI"))
"""By byte order: version, minor version, type, flags, data representation, length, length of authentication, call."""
_REQUEST, _RESPONSE, _FAULT = 0, 2, 3
_BIND, _BIND_ACK, _BIND_NAK, _ALTER, _ALTER_RESPONSE, _AUTHENTICATE = 11, 12, 13, 14, 15, 16
_LAST_TYPE: Final = 19
_MAX_CONTEXTS: Final = 64
_MAX_CALLS: Final = 128
"""Different operations of a conversation that are told."""
_MAX_INTERFACES: Final = 16
_SEEN: Final = 8192
"""Bytes of a unit that are looked at."""


@dataclass(slots=True)
class _Bound:
    """An interface that the client has bound to."""

    uuid: str
    version: str

    def fields(self) -> Fields:
        known = INTERFACES.get(self.uuid)
        fields: Fields = {"dcerpc.interface.uuid": self.uuid, "dcerpc.interface.version": self.version}
        return fields | ({"dcerpc.interface.name": known.name} if known else {})


@dataclass(slots=True)
class RpcCalls:
    """What one conversation, or one named pipe, has bound and called."""

    contexts: dict[int, _Bound] = field(default_factory=dict)
    told: set[tuple[str, int]] = field(default_factory=set)

    def take(self, unit: bytes) -> Fields | None:
        """Take a unit, or its beginning; returns the fields of an event when it is worth one. Raises Malformed."""
        try:
            order = unit[4] >> 4 & 1
            _, _, kind, _, _, size, secret, call = _HEADERS[order].unpack_from(unit)
            if kind in {_BIND, _ALTER}:
                return {**self._bind(unit, "<" if order else ">"), "dcerpc.call_id": call, **_login(unit, size, secret)}
            if kind == _REQUEST:
                return self._call(unit, "<" if order else ">", call)
            if kind in {_BIND_ACK, _ALTER_RESPONSE, _AUTHENTICATE} and secret:
                login = _login(unit, size, secret)
                return {"dcerpc.type": _TYPES[kind], "dcerpc.call_id": call, **login} if login else None
        except (error, IndexError) as problem:
            raise Malformed("a unit is cut") from problem
        if kind == _BIND_NAK:
            return {"dcerpc.type": "bind_nak", "dcerpc.call_id": call}
        return None

    def _bind(self, unit: bytes, order: str) -> Fields:
        word = Struct(order + "HBB")
        count, at = unit[24], 28
        bound: list[_Bound] = []
        for _ in range(count):
            number, syntaxes, _ = word.unpack_from(unit, at)
            raw = unit[at + 4 : at + 20]
            if len(raw) < 16:
                raise Malformed("a unit is cut")
            uuid = UUID(bytes_le=raw) if order == "<" else UUID(bytes=raw)
            (version,) = Struct(order + "I").unpack_from(unit, at + 20)
            found = _Bound(str(uuid), f"{version & 0xFFFF}.{version >> 16}")
            bound.append(found)
            if len(self.contexts) < _MAX_CONTEXTS:
                self.contexts[number] = found
            at += 24 + 20 * syntaxes
        fields: Fields = {"dcerpc.type": _TYPES[unit[2]]}
        if bound:
            fields |= bound[0].fields()
            named = dict.fromkeys(INTERFACES[each.uuid].name for each in bound if each.uuid in INTERFACES)
            uuids = dict.fromkeys(each.uuid for each in bound)
            fields["dcerpc.interfaces"] = [
                *[*named, *(uuid for uuid in uuids if uuid not in INTERFACES)][:_MAX_INTERFACES]
            ]
        return fields

    def _call(self, unit: bytes, order: str, call: int) -> Fields | None:
        context, operation = Struct(order + "HH").unpack_from(unit, 20)
        bound = self.contexts.get(context)
        key = (bound.uuid if bound else "", operation)
        if key in self.told or len(self.told) >= _MAX_CALLS:
            return None
        self.told.add(key)
        fields: Fields = {"dcerpc.type": "request", "dcerpc.call_id": call, "dcerpc.opnum": operation}
        if bound:
            fields |= bound.fields()
            known = INTERFACES.get(bound.uuid)
            if known and operation in known.operations:
                fields["dcerpc.operation"] = known.operations[operation]
        return fields


_TYPES: Final = {
    _BIND: "bind",
    _BIND_ACK: "bind_ack",
    _ALTER: "alter_context",
    _ALTER_RESPONSE: "alter_context_response",
    _AUTHENTICATE: "auth3",
}


def _login(unit: bytes, size: int, secret: int) -> Fields:
    """Read the login that a unit ends with, where it is NTLM."""
    fields = ntlm_fields(unit[max(0, size - secret) : size]) if secret else {}
    if "ntlmssp.user" in fields:
        fields["user.name"] = fields["ntlmssp.user"]
    return fields


def is_unit(data: bytes) -> bool:
    """Say whether data begins as a unit of connection-oriented DCE/RPC does."""
    if len(data) < HEADER_BYTES or data[0] != 5 or data[1] > 1 or data[2] > _LAST_TYPE or data[4] & 0xEF:
        return False
    return unit_bytes(data, 0) >= HEADER_BYTES


def unit_bytes(data: bytes, at: int) -> int:
    """Give the length of the unit that begins at an offset."""
    return int.from_bytes(data[at + 8 : at + 10], "little" if data[at + 4] & 0x10 else "big")


class RpcDecoder:
    """Follows a connection over TCP."""

    def __init__(self, ends: Ends) -> None:
        self._calls = RpcCalls()

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take units; of a long one only the beginning. Raises Malformed."""
        return read_each(DATASET, side, data, self._take)

    def finish(self) -> Sequence[Message]:
        """Say nothing: what is told is told at once."""
        return ()

    def _take(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        if len(data) - at < HEADER_BYTES:
            return at
        if not is_unit(data[at : at + HEADER_BYTES]):
            raise Malformed("no unit of DCE/RPC")
        size = unit_bytes(data, at)
        if len(data) - at < min(size, _SEEN):
            return at
        fields = self._calls.take(data[at : at + size])
        if fields:
            messages.append(Message(DATASET, fields, side))
        return at + size


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a bind, its answer, or a call in the middle of a conversation."""
    if len(data) < HEADER_BYTES:
        return Verdict.MORE if b"\x05\x00".startswith(data[:2]) else Verdict.NO
    if not is_unit(data) or data[2] not in {_REQUEST, _RESPONSE, _FAULT, *_TYPES} or not data[3] & 3:
        return Verdict.NO
    size, secret = unit_bytes(data, 0), int.from_bytes(data[10:12], "little" if data[4] & 0x10 else "big")
    return Verdict.YES if secret + HEADER_BYTES <= size and not any(data[6:8]) else Verdict.NO


PROTOCOL = ProtocolKind(
    name="dcerpc",
    transport=TCP,
    recognise=recognise,
    decoder=RpcDecoder,
    ports=frozenset({135}),
    first_bytes=frozenset({5}),
    resumes=True,
)
