"""SSDP."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packets.conversations import Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.ssdp import PROTOCOL, decode_ssdp

SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 3\r\n"
    b"ST: urn:dial-multiscreen-org:service:dial:1\r\nUSER-AGENT: Phone/7 UPnP/1.1\r\n\r\n"
)  # fmt: skip
NOTIFY = (
    b"NOTIFY * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nCache-Control: max-age = 1800\r\n"
    b"Location: http://192.0.2.10:8008/desc.xml\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n"
    b"Server: Linux/3.10 UPnP/1.0 Camera/2.1\r\nBOOTID.UPNP.ORG: 7\r\n"
    b"USN: uuid:2FAC1234-31F8-11B4-A222-08002B34C003::upnp:rootdevice\r\n\r\n"
)
RESPONSE = b"HTTP/1.1 200 OK\r\nST:upnp:rootdevice\r\nUSN:uuid:ab-1::upnp:rootdevice\r\nEXT:\r\nSERVER:RouterOS\r\n\r\n"


def test_a_search_tells_what_is_looked_for_and_by_what() -> None:
    assert fields(PROTOCOL, [(CLIENT, SEARCH)], at_port(1900)) == [
        {
            "ssdp.method": "M-SEARCH",
            "ssdp.target": "urn:dial-multiscreen-org:service:dial:1",
            "ssdp.man": '"ssdp:discover"',
            "ssdp.maximum_wait_seconds": 3,
            "user_agent.original": "Phone/7 UPnP/1.1",
        }
    ]


def test_an_announcement_tells_what_a_device_is() -> None:
    assert fields(PROTOCOL, [(CLIENT, NOTIFY)], at_port(1900)) == [
        {
            "ssdp.method": "NOTIFY",
            "ssdp.target": "upnp:rootdevice",
            "ssdp.location": "http://192.0.2.10:8008/desc.xml",
            "ssdp.notification": "ssdp:alive",
            "ssdp.server": "Linux/3.10 UPnP/1.0 Camera/2.1",
            "ssdp.boot_id": 7,
            "ssdp.usn": "uuid:2FAC1234-31F8-11B4-A222-08002B34C003::upnp:rootdevice",
            "ssdp.max_age_seconds": 1800,
            "ssdp.uuid": "2fac1234-31f8-11b4-a222-08002b34c003",
        }
    ]


def test_an_answer_tells_the_same_of_who_answers() -> None:
    [message] = fields(PROTOCOL, [(CLIENT, RESPONSE)], at_port(1900))
    assert (message["ssdp.method"], message["http.response.status_code"]) == ("response", 200)
    assert (message["ssdp.uuid"], message["ssdp.server"]) == ("ab-1", "RouterOS")


def test_lines_may_end_with_a_line_feed_only_and_the_end_may_be_missing() -> None:
    message = decode_ssdp(b"NOTIFY * HTTP/1.1\nNT: a\nUSN: uuid:b\nServer: c")
    assert (message["ssdp.target"], message["ssdp.uuid"], message["ssdp.server"]) == ("a", "b", "c")


def test_long_values_are_bounded() -> None:
    message = decode_ssdp(b"NOTIFY * HTTP/1.1\r\nServer: " + b"x" * 9000 + b"\r\n" + b"A: b\r\n" * 5000 + b"\r\n")
    assert len(str(message["ssdp.server"])) == 1024


@pytest.mark.parametrize(
    "junk", [b"", b"NOTIFY /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1", b"M-SEARCH"]
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_ssdp(junk)


@pytest.mark.parametrize(
    ("data", "port", "verdict"),
    [
        (SEARCH, 4_000, Verdict.YES),
        (NOTIFY, 4_000, Verdict.YES),
        (RESPONSE, 4_000, Verdict.YES),
        (b"HTTP/1.1 200 OK\r\n\r\n", 1900, Verdict.YES),
        (b"HTTP/1.1 200 OK\r\n\r\n", 4_000, Verdict.NO),
        (b"NOTIFY sip:a@b SIP/2.0\r\n\r\n", 1900, Verdict.NO),
        (b"GET / HTTP/1.1\r\n\r\n", 1900, Verdict.NO),
    ],
)
def test_content_decides(data: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(data, CLIENT, at_port(port)) is verdict


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, SEARCH), (CLIENT, NOTIFY), (CLIENT, RESPONSE)])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(1900))
