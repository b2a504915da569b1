"""NTP, judged by Scapy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.ntp import NTPControl, NTPHeader, NTPPrivate

from packets.conversations import Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.ntp import PROTOCOL, decode_ntp

AT = 3_978_000_000.5
QUESTION = bytes(NTPHeader(version=4, mode=3, stratum=0, id="0.0.0.0", ref_id=b"\0\0\0\0", ref=0, recv=0, sent=AT))  # noqa: S104
ANSWER = bytes(NTPHeader(leap=0, version=4, mode=4, stratum=2, poll=6, precision=-24, delay=0.5, dispersion=0.25,
                         id="192.0.2.1", ref=AT - 60, orig=AT, recv=AT + 1, sent=AT + 1))  # fmt: skip
MONITOR_LIST = bytes(NTPPrivate(version=2, implementation=3, request_code=42))
CONTROL = b"\x16\x82\x00\x01\x06\x15\x00\x00\x00\x00\x00\x0d" + b'version="4.2"'


def test_an_answer_tells_how_good_the_clock_is() -> None:
    assert fields(PROTOCOL, [(SERVER, ANSWER)], at_port(123)) == [
        {
            "ntp.version": 4,
            "ntp.mode": 4,
            "ntp.mode_name": "server",
            "ntp.leap": 0,
            "ntp.stratum": 2,
            "ntp.poll": 6,
            "ntp.precision": -24,
            "ntp.root_delay_seconds": 0.5,
            "ntp.root_dispersion_seconds": 0.25,
            "ntp.reference_id": "192.0.2.1",
        }
    ]


@pytest.mark.parametrize(
    ("stratum", "raw", "text"), [(0, b"RATE", "RATE"), (1, b"GPS\0", "GPS"), (3, b"\xc6\x33\x64\x01", "198.51.100.1")]
)
def test_the_reference_is_a_word_or_an_address(stratum: int, raw: bytes, text: str) -> None:
    assert decode_ntp(ANSWER[:1] + bytes([stratum]) + ANSWER[2:12] + raw + ANSWER[16:])["ntp.reference_id"] == text


def test_a_monitor_list_is_marked() -> None:
    fields_of = decode_ntp(MONITOR_LIST)
    assert (fields_of["ntp.mode_name"], fields_of["ntp.is_monitor_list"]) == ("private", True)
    assert (fields_of["ntp.private.request_code"], fields_of["ntp.private.is_response"]) == (42, False)


def test_a_control_message_tells_what_is_asked_and_answered() -> None:
    fields_of = decode_ntp(CONTROL)
    assert (fields_of["ntp.control.operation"], fields_of["ntp.control.is_response"]) == ("read_variables", True)
    assert fields_of["ntp.control.data"] == 'version="4.2"'
    asked = decode_ntp(bytes(NTPControl(version=2, op_code=2)))
    assert (asked["ntp.control.operation"], asked["ntp.control.is_response"]) == ("read_variables", False)


@pytest.mark.parametrize(
    ("side", "raw", "is_turned"),
    [(CLIENT, QUESTION, False), (SERVER, ANSWER, False), (CLIENT, ANSWER, True), (SERVER, QUESTION, True)],
)
def test_the_source_is_the_side_that_asks_whoever_was_seen_first(side: int, raw: bytes, is_turned: bool) -> None:
    [message] = PROTOCOL.decoder(at_port(123)).feed(side, raw, 0).messages
    assert message.is_turned is is_turned


@pytest.mark.parametrize("junk", [b"", b"\x00" * 48, b"\x3b" + bytes(47), ANSWER[:47], b"\x16\x02", b"\x17\x00"])
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_ntp(junk)


@pytest.mark.parametrize(
    ("data", "port", "verdict"),
    [
        (QUESTION, 123, Verdict.YES),
        (QUESTION, 4_000, Verdict.YES),
        (ANSWER, 4_000, Verdict.YES),
        (b"\x1b" + bytes(47), 4_000, Verdict.YES),
        (b"\x23" + bytes(range(1, 48)), 4_000, Verdict.NO),
        (MONITOR_LIST, 123, Verdict.YES),
        (MONITOR_LIST, 4_000, Verdict.NO),
        (b"\x23" * 20, 123, Verdict.NO),
        (b"\x20" + bytes(47), 123, Verdict.NO),
    ],
)
def test_times_must_make_sense_on_odd_ports(data: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(2, 15), st.integers(0, 17), st.ip_addresses(v=4))
def test_scapy_reads_the_same(mode: int, stratum: int, poll: int, reference: object) -> None:
    raw = bytes(NTPHeader(version=4, mode=mode, stratum=stratum, poll=poll, id=str(reference)))
    judge, ours = NTPHeader(raw), decode_ntp(raw)
    assert (ours["ntp.mode"], ours["ntp.stratum"], ours["ntp.poll"]) == (judge.mode, judge.stratum, judge.poll)
    assert ours["ntp.reference_id"] == judge.id


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, QUESTION), (SERVER, ANSWER), (CLIENT, MONITOR_LIST), (SERVER, CONTROL)])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(123))
