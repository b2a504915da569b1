"""NetBIOS names, with messages made by Scapy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.netbios import NBNSHeader, NBNSQueryRequest, NBNSQueryResponse, NBNSRegistrationRequest

from packets.conversations import Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.netbios import PROTOCOLS, decode_datagram_service, decode_name_service

NAMES, DATAGRAMS = PROTOCOLS


def encoded(name: str, suffix: int) -> bytes:
    """RFC 1001, 14.1."""
    raw = name.encode().ljust(15) + bytes([suffix])
    return b"\x20" + bytes(letter for byte in raw for letter in (65 + (byte >> 4), 65 + (byte & 15))) + b"\x00"


QUERY = bytes(NBNSHeader(NAME_TRN_ID=7) / NBNSQueryRequest(QUESTION_NAME="NAS", SUFFIX="File Server Service"))
ANSWER = bytes(NBNSHeader(NAME_TRN_ID=7) / NBNSQueryResponse(RR_NAME="NAS", SUFFIX="File Server Service"))
CLAIM = bytes(NBNSHeader(NAME_TRN_ID=8) / NBNSRegistrationRequest(QUESTION_NAME="PC-7"))
STATUS = (
    b"\x00\x09\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00" + encoded("*", 0) + b"\x00\x21\x00\x01\x00\x00\x00\x00\x00\x47"
    + b"\x02" + b"OFFICE-PRINTER " + b"\x00\x04\x00" + b"WORKGROUP      " + b"\x00\x84\x00"
    + bytes.fromhex("00005e005301") + bytes(28)
)  # fmt: skip
DATAGRAM = (
    b"\x11\x0a\x00\x01\xc0\x00\x02\x0a\x00\x8a\x00\xbb\x00\x00" + encoded("PC-7", 0) + encoded("WORKGROUP", 0x1D)
    + b"\xffSMB\x25" + bytes(40)
)  # fmt: skip


def test_a_query_tells_the_name() -> None:
    [message] = fields(NAMES, [(CLIENT, QUERY)], at_port(137))
    assert (message["nbns.operation"], message["nbns.is_response"]) == ("query", False)
    assert (message["nbns.name"], message["nbns.suffix"], message["nbns.is_status"]) == ("NAS", 0x20, False)


def test_an_answer_tells_the_address() -> None:
    raw = ANSWER[:-6] + b"\x00\x00\xc0\x00\x02\x0a"
    [message] = fields(NAMES, [(SERVER, raw)], at_port(137))
    assert (message["nbns.name"], message["nbns.addresses"], message["nbns.is_response"]) == (
        "NAS",
        ["192.0.2.10"],
        True,
    )


def test_a_registration_tells_who_claims_a_name() -> None:
    [message] = fields(NAMES, [(CLIENT, CLAIM)], at_port(137))
    assert (message["nbns.operation"], message["nbns.name"], message["nbns.is_group"]) == (
        "registration",
        "PC-7",
        False,
    )


def test_a_status_tells_all_names_of_a_machine_and_its_mac() -> None:
    [message] = fields(NAMES, [(SERVER, STATUS)], at_port(137))
    assert (message["nbns.name"], message["nbns.names"]) == ("*", ["OFFICE-PRINTER<00>"])
    assert (message["nbns.groups"], message["nbns.unit_mac"]) == (["WORKGROUP<00>"], "00-00-5E-00-53-01")


def test_a_datagram_tells_who_sends_to_whom() -> None:
    assert fields(DATAGRAMS, [(CLIENT, DATAGRAM)], at_port(138)) == [
        {
            "nbdgm.type": "direct_group",
            "nbdgm.source_ip": "192.0.2.10",
            "nbdgm.source_port": 138,
            "nbdgm.source_name": "PC-7",
            "nbdgm.source_suffix": 0,
            "nbdgm.destination_name": "WORKGROUP",
            "nbdgm.destination_suffix": 0x1D,
            "nbdgm.has_smb": True,
        }
    ]


@pytest.mark.parametrize(
    "junk", [b"", QUERY[:12], QUERY[:40], QUERY[:48], STATUS[:90], ANSWER[:-3], QUERY[:2] + b"\x50" + QUERY[3:]]
)
def test_what_is_no_name_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_name_service(junk)


@pytest.mark.parametrize("junk", [b"", b"\x09" * 20, DATAGRAM[:9], DATAGRAM[:30]])
def test_what_is_no_datagram_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_datagram_service(junk)


@pytest.mark.parametrize(
    ("kind", "data", "port", "verdict"),
    [
        (NAMES, QUERY, 137, Verdict.YES),
        (NAMES, STATUS, 4_000, Verdict.YES),
        (NAMES, bytes(50), 137, Verdict.NO),
        (DATAGRAMS, DATAGRAM, 138, Verdict.YES),
        (DATAGRAMS, DATAGRAM, 4_000, Verdict.NO),
    ],
)
def test_content_decides(kind: ProtocolKind, data: bytes, port: int, verdict: Verdict) -> None:
    assert kind.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None)
@given(
    st.sampled_from(PROTOCOLS),
    st.one_of(garbage(), mutated([(CLIENT, QUERY), (SERVER, STATUS), (CLIENT, CLAIM), (CLIENT, DATAGRAM)])),
)
def test_whatever_arrives_becomes_fields_or_is_refused(kind: ProtocolKind, said: list[Said]) -> None:
    check_survives(kind, said, at_port(137))
