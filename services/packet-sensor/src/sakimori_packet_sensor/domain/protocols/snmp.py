"""SNMP v1 (RFC 1157), v2c (RFC 1901) and v3 (RFC 3412, RFC 3414): who asks what. Communities are never kept."""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.protocols.ber import (
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    element,
    expect,
    integer,
    oid_text,
)
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.snmp"
_PORTS: Final = frozenset({161, 162})
_VERSIONS: Final = {0: "1", 1: "2c", 3: "3"}
_PDUS: Final = {
    0xA0: "get_request", 0xA1: "get_next_request", 0xA2: "response", 0xA3: "set_request", 0xA4: "trap",
    0xA5: "get_bulk_request", 0xA6: "inform_request", 0xA7: "trap_v2", 0xA8: "report",
}  # fmt: skip
_TRAP, _GET_BULK = 0xA4, 0xA5
_DEFAULTS: Final = frozenset({
    b"public", b"private", b"community", b"admin", b"cisco", b"default", b"internal", b"manager", b"monitor",
    b"netman", b"password", b"read", b"root", b"secret", b"security", b"snmp", b"snmpd", b"snmptrap", b"test",
    b"write", b"",
})  # fmt: skip
"""What devices come with, and what everybody tries first."""
_LEVELS: Final = {0: "noAuthNoPriv", 1: "authNoPriv", 3: "authPriv"}
_USER_MODEL: Final = 3
_DESCRIPTIONS: Final = {"1.3.6.1.2.1.1.1.0": "snmp.system_description", "1.3.6.1.2.1.1.5.0": "snmp.system_name"}
_MAX_OIDS: Final = 16
_MAX_BINDINGS: Final = 4096
_MAX_TEXT: Final = 512


class Snmp:
    """Decodes a conversation: every datagram is a message."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read((Message(DATASET, decode_snmp(data), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_snmp(message: bytes) -> Fields:
    """Decode a message into `snmp.*`. Raises Malformed."""
    at, end = expect(SEQUENCE, message, 0, len(message))
    number, at = integer(message, at, end)
    version = _VERSIONS.get(number)
    if version is None:
        raise Malformed("no such version")
    fields: Fields = {"snmp.version": version}
    if version == "3":
        _add_version_3(fields, message, at, end)
        return fields
    begin, at = expect(OCTETS, message, at, end)
    community = message[begin:at]
    fields["snmp.community_length"] = len(community)
    fields["snmp.community_is_default"] = community.lower() in _DEFAULTS
    _add_pdu(fields, message, at, end)
    return fields


def _add_version_3(fields: Fields, message: bytes, at: int, end: int) -> None:
    head, at = expect(SEQUENCE, message, at, end)
    _, head = integer(message, head, at)
    _, head = integer(message, head, at)
    begin, head = expect(OCTETS, message, head, at)
    flags = message[begin] if head > begin else 0
    model, _ = integer(message, head, at)
    fields["snmp.security_level"] = _LEVELS.get(flags & 3, "invalid")
    fields["snmp.is_reportable"] = bool(flags & 4)
    fields["snmp.security_model"] = model
    begin, at = expect(OCTETS, message, at, end)
    if model == _USER_MODEL:
        _add_user_security(fields, message, begin, at)
    if flags & 2:
        expect(OCTETS, message, at, end)
        fields["snmp.is_encrypted"] = True
        return
    begin, _ = expect(SEQUENCE, message, at, end)
    _, begin = expect(OCTETS, message, begin, end)
    first, begin = expect(OCTETS, message, begin, end)
    if begin > first:
        fields["snmp.context_name"] = text_of(message[first:begin], _MAX_TEXT)
    _add_pdu(fields, message, begin, end)


def _add_user_security(fields: Fields, message: bytes, at: int, end: int) -> None:
    """Read the engine and whether a user is named (RFC 3414, 2.4); neither the name nor what proves it is kept."""
    at, end = expect(SEQUENCE, message, at, end)
    begin, at = expect(OCTETS, message, at, end)
    if at > begin:
        fields["snmp.engine_id"] = message[begin : min(at, begin + 32)].hex()
    fields["snmp.engine_boots"], at = integer(message, at, end)
    fields["snmp.engine_seconds"], at = integer(message, at, end)
    begin, at = expect(OCTETS, message, at, end)
    fields["snmp.has_user"] = at > begin


def _add_pdu(fields: Fields, message: bytes, at: int, end: int) -> None:
    kind, at, end = element(message, at, end)
    name = _PDUS.get(kind)
    if name is None:
        raise Malformed("no such kind of message")
    fields["snmp.pdu_type"] = name
    if kind == _TRAP:
        at = _add_trap(fields, message, at, end)
    else:
        fields["snmp.request_id"], at = integer(message, at, end)
        first, at = integer(message, at, end)
        second, at = integer(message, at, end)
        names = ("non_repeaters", "max_repetitions") if kind == _GET_BULK else ("error_status", "error_index")
        fields |= {f"snmp.{names[0]}": first, f"snmp.{names[1]}": second}
    _add_bindings(fields, message, at, end)


def _add_trap(fields: Fields, message: bytes, at: int, end: int) -> int:
    """Read what a v1 trap has before its bindings (RFC 1157, 4.1.6)."""
    begin, at = expect(OID, message, at, end)
    fields["snmp.enterprise"] = oid_text(message[begin:at])
    _, begin, at = element(message, at, end)
    if at - begin == 4:
        fields["snmp.agent_ip"] = ip_text(message[begin:at])
    fields["snmp.generic_trap"], at = integer(message, at, end)
    fields["snmp.specific_trap"], at = integer(message, at, end)
    return element(message, at, end)[2]


def _add_bindings(fields: Fields, message: bytes, at: int, end: int) -> None:
    at, end = expect(SEQUENCE, message, at, end)
    oids: list[str] = []
    count = 0
    while at < end and count < _MAX_BINDINGS:
        begin, at = expect(SEQUENCE, message, at, end)
        first, behind = expect(OID, message, begin, at)
        if count < _MAX_OIDS:
            oid = oid_text(message[first:behind])
            oids.append(oid)
            if oid in _DESCRIPTIONS:
                _add_description(fields, _DESCRIPTIONS[oid], message, behind, at)
        count += 1
    fields["snmp.oids_count"] = count
    if oids:
        fields["snmp.oids"] = [*oids]


def _add_description(fields: Fields, name: str, message: bytes, at: int, end: int) -> None:
    tag, begin, behind = element(message, at, end)
    if tag == OCTETS and behind > begin:
        fields[name] = text_of(message[begin:behind], _MAX_TEXT)


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Look at how a message begins: a sequence as long as the datagram, a version, and what each version has next."""
    try:
        at, end = expect(SEQUENCE, data, 0, len(data))
        number, at = integer(data, at, end)
        if number not in _VERSIONS or end != len(data):
            return Verdict.NO
        tag, _, at = element(data, at, end)
        if number == 3:
            return Verdict.YES if tag == SEQUENCE and data[at] == OCTETS else Verdict.NO
        return Verdict.YES if tag == OCTETS and data[at] in _PDUS else Verdict.NO
    except (Malformed, IndexError):
        is_expected = not _PORTS.isdisjoint((ends.source_port, ends.destination_port))
        return Verdict.YES if is_expected and data[2:3] == bytes([INTEGER]) else Verdict.NO


PROTOCOL: Final = ProtocolKind("snmp", UDP, _recognise, Snmp, _PORTS, first_bytes=frozenset({SEQUENCE}))
