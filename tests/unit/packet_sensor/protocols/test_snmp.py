"""SNMP, judged by Scapy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.asn1.asn1 import ASN1_OID, ASN1_STRING
from scapy.layers.snmp import (
    SNMP,
    SNMPbulk,
    SNMPget,
    SNMPnext,
    SNMPresponse,
    SNMPset,
    SNMPtrapv1,
    SNMPtrapv2,
    SNMPvarbind,
)

from packets.conversations import Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.ber import oid_text
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.snmp import PROTOCOL, decode_snmp

DESCRIPTION, NAME = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.5.0"
GET = bytes(
    SNMP(version=1, community="public", PDU=SNMPget(id=7, varbindlist=[SNMPvarbind(oid=ASN1_OID(DESCRIPTION))]))
)
ANSWER = bytes(
    SNMP(
        version=1,
        community="s3cr3t-reader",
        PDU=SNMPresponse(
            id=7,
            varbindlist=[
                SNMPvarbind(oid=ASN1_OID(DESCRIPTION), value=ASN1_STRING(b"ACME Laser Printer 9000")),
                SNMPvarbind(oid=ASN1_OID(NAME), value=ASN1_STRING(b"printer-2")),
                SNMPvarbind(oid=ASN1_OID("1.3.6.1.4.1.99999.1"), value=ASN1_STRING(b"x")),
            ],
        ),
    )
)


def tlv(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    size = bytes([len(value)]) if len(value) < 128 else b"\x82" + len(value).to_bytes(2, "big")
    return bytes([tag]) + size + value


def number(value: int) -> bytes:
    return tlv(2, value.to_bytes(4, "big", signed=True))


def version_3(flags: int, user: bytes, body: bytes) -> bytes:
    """A message as RFC 3412, 6 builds it, for the user-based security model."""
    head = tlv(0x30, number(9), number(65_507), tlv(4, bytes([flags])), number(3))
    user_based = tlv(0x30, tlv(4, b"\x80\x00\x1f\x88\x01"), number(4), number(5000), tlv(4, user), tlv(4), tlv(4))
    return tlv(0x30, number(3), head, tlv(4, user_based), body)


BINDINGS = tlv(0x30, tlv(0x30, tlv(6, b"\x2b\x06\x01"), tlv(5)))
GET_3 = tlv(
    0x30,
    tlv(4, b"\x80\x00\x1f\x88\x01"),
    tlv(4, b"ctx"),
    tlv(0xA1, number(7), number(0), number(0), BINDINGS),
)
PLAIN_3, SEALED_3 = version_3(4, b"", GET_3), version_3(7, b"operator", tlv(4, bytes(40)))


def test_a_question_tells_what_is_asked_and_that_the_community_is_everybodys() -> None:
    assert fields(PROTOCOL, [(CLIENT, GET)], at_port(161)) == [
        {
            "snmp.version": "2c",
            "snmp.community_length": 6,
            "snmp.community_is_default": True,
            "snmp.pdu_type": "get_request",
            "snmp.request_id": 7,
            "snmp.error_status": 0,
            "snmp.error_index": 0,
            "snmp.oids_count": 1,
            "snmp.oids": [DESCRIPTION],
        }
    ]


def test_an_answer_describes_the_device_and_keeps_the_community_to_itself() -> None:
    [message] = fields(PROTOCOL, [(SERVER, ANSWER)], at_port(161))
    assert message["snmp.system_description"] == "ACME Laser Printer 9000"
    assert message["snmp.system_name"] == "printer-2"
    assert (message["snmp.community_length"], message["snmp.community_is_default"]) == (13, False)
    assert "s3cr3t" not in str(message)


def test_version_3_tells_engine_level_and_whether_a_user_is_named() -> None:
    assert decode_snmp(PLAIN_3) == {
        "snmp.version": "3",
        "snmp.security_level": "noAuthNoPriv",
        "snmp.is_reportable": True,
        "snmp.security_model": 3,
        "snmp.engine_id": "80001f8801",
        "snmp.engine_boots": 4,
        "snmp.engine_seconds": 5000,
        "snmp.has_user": False,
        "snmp.context_name": "ctx",
        "snmp.pdu_type": "get_next_request",
        "snmp.request_id": 7,
        "snmp.error_status": 0,
        "snmp.error_index": 0,
        "snmp.oids_count": 1,
        "snmp.oids": ["1.3.6.1"],
    }
    sealed = decode_snmp(SEALED_3)
    assert (sealed["snmp.security_level"], sealed["snmp.has_user"], sealed["snmp.is_encrypted"]) == (
        "authPriv",
        True,
        True,
    )
    assert "operator" not in str(sealed)


@pytest.mark.parametrize(
    ("pdu", "name"),
    [
        (SNMPset(), "set_request"),
        (SNMPnext(), "get_next_request"),
        (SNMPtrapv2(), "trap_v2"),
        (SNMPget(), "get_request"),
    ],
)
def test_kinds_of_messages_have_names(pdu: object, name: str) -> None:
    assert decode_snmp(bytes(SNMP(PDU=pdu)))["snmp.pdu_type"] == name


def test_a_bulk_request_and_an_old_trap_have_fields_of_their_own() -> None:
    bulk = decode_snmp(bytes(SNMP(PDU=SNMPbulk(non_repeaters=1, max_repetitions=50))))
    assert (bulk["snmp.non_repeaters"], bulk["snmp.max_repetitions"]) == (1, 50)
    trap = decode_snmp(
        bytes(
            SNMP(
                version=0,
                PDU=SNMPtrapv1(
                    enterprise=ASN1_OID("1.3.6.1.4.1.8072"), agent_addr="192.0.2.9", generic_trap=6, time_stamp=9
                ),
            )
        )
    )
    assert (trap["snmp.enterprise"], trap["snmp.agent_ip"], trap["snmp.generic_trap"]) == (
        "1.3.6.1.4.1.8072",
        "192.0.2.9",
        6,
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x2b\x06\x01\x02\x01", "1.3.6.1.2.1"),
        (b"\x2b\x06\x01\x04\x01\xbf\x08", "1.3.6.1.4.1.8072"),
        (b"\x88\x37\x03", "2.999.3"),
        (b"\x2b", "1.3"),
        (b"\x00\x00", "0.0.0"),
    ],
)
def test_object_identifiers_are_written_with_dots(raw: bytes, text: str) -> None:
    assert oid_text(raw) == text


def test_only_the_first_identifiers_are_listed() -> None:
    raw = bytes(SNMP(PDU=SNMPget(varbindlist=[SNMPvarbind(oid=ASN1_OID(f"1.3.6.1.{n}")) for n in range(40)])))
    message = decode_snmp(raw)
    assert isinstance(message["snmp.oids"], list)
    assert (message["snmp.oids_count"], len(message["snmp.oids"])) == (40, 16)


@pytest.mark.parametrize(
    "junk", [b"", b"\x30", b"\x30\x80", GET[:-1], b"\x30\x03\x02\x01\x07", b"\x30\x84\xff\xff\xff\xff"]
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_snmp(junk)


@pytest.mark.parametrize(
    ("data", "port", "verdict"),
    [
        (GET, 161, Verdict.YES),
        (GET, 4_000, Verdict.YES),
        (SEALED_3, 4_000, Verdict.YES),
        (GET[:-3], 161, Verdict.YES),
        (GET[:-3], 4_000, Verdict.NO),
        (tlv(0x30, number(1), tlv(0x60, b"abc")), 4_000, Verdict.NO),  # LDAP begins like that
        (b"0" * 50, 161, Verdict.NO),
    ],
)
def test_content_decides(data: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None)
@given(st.lists(st.integers(0, 1 << 31), min_size=1, max_size=20), st.integers(0, (1 << 31) - 1))
def test_scapy_reads_the_same(arcs: list[int], request: int) -> None:
    oid = "1.3." + ".".join(map(str, arcs))
    raw = bytes(SNMP(PDU=SNMPget(id=request, varbindlist=[SNMPvarbind(oid=ASN1_OID(oid))])))
    ours, judge = decode_snmp(raw), SNMP(raw)
    assert ours["snmp.request_id"] == judge.PDU.id.val
    assert ours["snmp.oids"] == [judge.PDU.varbindlist[0].oid.val]


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, GET), (SERVER, ANSWER), (CLIENT, PLAIN_3), (CLIENT, SEALED_3)])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(161))
