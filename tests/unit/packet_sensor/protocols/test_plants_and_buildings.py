"""DNP3 and BACnet/IP."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.bacnet import PROTOCOL as BACNET
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.dnp3 import PROTOCOLS, checksum

DNP3, DNP3_DATAGRAMS = PROTOCOLS


def frame(user: bytes, destination: int = 4, source: int = 3) -> bytes:
    header = pack("<2sBBHH", b"\x05\x64", 5 + len(user), 0xC4, destination, source)
    blocks = [user[at : at + 16] for at in range(0, len(user), 16)]
    return header + pack("<H", checksum(header)) + b"".join(block + pack("<H", checksum(block)) for block in blocks)


READ = frame(b"\xc0\xc1\x01\x3c\x02\x06")
ANSWER = frame(b"\xc0\xc1\x81\x90\x00" + bytes(30), destination=3, source=4)
OPERATE = frame(b"\xc1\xc2\x05\x0c\x01\x28\x01\x00" + bytes(20))
UNSOLICITED = frame(b"\xc2\xf3\x82\x10\x00", destination=3, source=4)
SESSION: list[Said] = [(CLIENT, READ), (SERVER, ANSWER + UNSOLICITED), (CLIENT, OPERATE)]


def bacnet(kind: int, rest: bytes) -> bytes:
    return b"\x81" + bytes([kind]) + pack(">H", len(rest) + 4) + rest


WRITE = bacnet(0x0A, b"\x01\x04\x00\x05\x01\x0f\x0c\x00\x80\x00\x07\x19\x55\x3e\x44\x42\xc8\x00\x00\x3f")
I_AM = bacnet(0x0B, b"\x01\x20\xff\xff\x00\xff\x10\x00\xc4\x02\x00\x00\x2a\x22\x05\xc4\x91\x03\x21\x08")


def test_the_checksum_is_that_of_the_standard() -> None:
    assert checksum(b"123456789") == 0xEA82


def test_a_request_and_its_answer_are_one_event() -> None:
    said = fields(DNP3, SESSION)
    assert said[0] == {
        "dnp3.source": 3,
        "dnp3.destination": 4,
        "dnp3.function": "read",
        "dnp3.function_code": 1,
        "dnp3.is_control": False,
        "dnp3.response_function": "response",
        "dnp3.response_code": 129,
        "dnp3.iin": 0x9000,
        "event.duration": 0,
        "event.outcome": "success",
    }
    assert said[1]["dnp3.response_function"] == "unsolicited_response"
    assert (said[2]["dnp3.function"], said[2]["dnp3.is_control"]) == ("direct_operate", True)
    assert said[2]["event.outcome"] == "unknown"


def test_a_wrong_checksum_is_malformed_and_the_next_segment_is_read() -> None:
    broken = READ[:9] + bytes([READ[9] ^ 1]) + READ[10:]
    said = fields(DNP3, [(CLIENT, broken), (CLIENT, READ)])
    assert [event.get("error.code") for event in said] == ["malformed", None]


def test_a_write_names_its_object() -> None:
    (said,) = fields(BACNET, [(CLIENT, WRITE)])
    assert said == {
        "bacnet.function": "confirmed_request",
        "bacnet.service": "write_property",
        "bacnet.service_code": 15,
        "bacnet.is_write": True,
        "bacnet.object_type": 2,
        "bacnet.object_instance": 7,
        "bacnet.property": 85,
    }


def test_a_device_says_who_it_is() -> None:
    (said,) = fields(BACNET, [(CLIENT, I_AM)])
    assert said["bacnet.service"] == "i_am"
    assert said["bacnet.device_instance"] == 42
    assert said["bacnet.vendor_id"] == 8


def test_a_refusal_is_a_failure_and_consent_is_silent() -> None:
    assert fields(BACNET, [(SERVER, bacnet(0x0A, b"\x01\x00\x50\x01\x0f\x91\x01\x91\x02"))])[0] == {
        "bacnet.function": "error",
        "event.outcome": "failure",
    }
    assert fields(BACNET, [(SERVER, bacnet(0x0A, b"\x01\x00\x20\x01\x0f"))]) == []


@pytest.mark.parametrize(
    ("kind", "first", "verdict"),
    [
        (DNP3, READ, Verdict.YES),
        (DNP3, READ[:5], Verdict.MORE),
        (DNP3, READ[:8] + b"\x00\x00", Verdict.NO),
        (BACNET, WRITE, Verdict.YES),
        (BACNET, WRITE + b"\x00", Verdict.NO),
        (BACNET, b"\x81\xca" + bytes(20), Verdict.NO),
    ],
)
def test_each_is_told_by_its_content(kind: ProtocolKind, first: bytes, verdict: Verdict) -> None:
    assert kind.recognise(first, CLIENT, ENDS) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(DNP3, pieces) == converse(DNP3, SESSION)


@given(st.one_of(mutated(SESSION), mutated([(CLIENT, WRITE), (CLIENT, I_AM)]), garbage()))
def test_whatever_comes_the_decoders_keep_their_word(said: list[Said]) -> None:
    for kind in (DNP3, DNP3_DATAGRAMS, BACNET):
        check_survives(kind, said)
