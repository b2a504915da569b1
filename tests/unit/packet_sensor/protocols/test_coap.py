"""CoAP, judged by Scapy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.coap import CoAP

from packets.conversations import Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.coap import PROTOCOL, decode_coap
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

GET = bytes(
    CoAP(
        type=0,
        code=1,
        msg_id=4711,
        tkl=2,
        token=b"ab",
        options=[("Uri-Host", "hub.example"), ("Uri-Path", "sensors"), ("Uri-Path", "temp"),
                 ("Uri-Query", "unit=c"), ("Accept", b"\x32")],
    )
)  # fmt: skip
CONTENT = b"\x62\x45\x12\x67ab" + b"\x61\x05" + b"\x61\x32" + b"\xb1\x0e" + b'\xff{"t":21}'
"""ACK 2.05, token ab; Observe 5, Content-Format 50, Block2 0/1/1024."""


def test_a_request_tells_code_and_path() -> None:
    assert fields(PROTOCOL, [(CLIENT, GET)], at_port(5683)) == [
        {
            "coap.version": 1,
            "coap.type": "CON",
            "coap.code": "0.01",
            "coap.code_name": "GET",
            "coap.message_id": 4711,
            "coap.token_length": 2,
            "coap.uri_host": "hub.example",
            "coap.uri_path": "/sensors/temp",
            "coap.uri_query": ["unit=c"],
            "coap.accept": "application/json",
            "coap.payload_bytes": 0,
        }
    ]


def test_an_answer_tells_format_and_block() -> None:
    assert fields(PROTOCOL, [(SERVER, CONTENT)], at_port(5683)) == [
        {
            "coap.version": 1,
            "coap.type": "ACK",
            "coap.code": "2.05",
            "coap.code_name": "Content",
            "coap.message_id": 4711,
            "coap.token_length": 2,
            "coap.observe": 5,
            "coap.content_format": "application/json",
            "coap.block2": "0/1/1024",
            "coap.payload_bytes": 8,
        }
    ]


def test_numbers_of_options_may_be_extended() -> None:
    proxy = b"coap://a"
    raw = b"\x40\x03\x00\x01" + b"\xd8\x16" + proxy + b"\xe1\x00\x00X"  # 35 Proxy-Uri, then 304, unheard of
    assert decode_coap(raw)["coap.proxy_uri"] == "coap://a"


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x40\x01\x00",
        b"\x80\x01\x00\x01",
        b"\x49\x01\x00\x01" + bytes(9),
        b"\x42\x01\x00\x01a",
        b"\x40\x00\x00\x01x",
        b"\x40\x01\x00\x01\xff",
        b"\x40\x01\x00\x01\xf0",
        b"\x40\x01\x00\x01\xb4tem",
        b"\x40\x01\x00\x01\xd1",
        b"\x40\x01\x00\x01" + b"\x00" * 65,
    ],
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_coap(junk)


@pytest.mark.parametrize(
    ("data", "port", "verdict"),
    [
        (GET, 5683, Verdict.YES),
        (GET, 4_000, Verdict.YES),
        (CONTENT, 5683, Verdict.YES),
        (CONTENT, 4_000, Verdict.NO),
        (b"\x40\x01\x00\x01", 4_000, Verdict.NO),
        (b"\x40\x00\x00\x01", 5683, Verdict.YES),
        (b"\x40\x01\x00\x01\xd1", 5683, Verdict.YES),
        (b"GET / HTTP/1.1\r\n\r\n", 5683, Verdict.NO),
        (b"@" * 40, 4_000, Verdict.NO),
    ],
)
def test_content_decides(data: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None)
@given(
    st.sampled_from([1, 2, 3, 4]),
    st.integers(0, 65_535),
    st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=300), max_size=5),
)
def test_scapy_reads_the_same(code: int, identity: int, path: list[str]) -> None:
    raw = bytes(CoAP(type=1, code=code, msg_id=identity, options=[("Uri-Path", part) for part in path]))
    ours, judge = decode_coap(raw), CoAP(raw)
    assert (ours["coap.type"], ours["coap.message_id"]) == ("NON", judge.msg_id)
    parts = [value.decode()[:255] for name, value in judge.options if name == "Uri-Path"]
    assert ours.get("coap.uri_path", "") == "".join("/" + part for part in parts)


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, GET), (SERVER, CONTENT)])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(5683))
