"""SIP over datagrams and streams."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packets.conversations import Said, at_port, check_survives, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.sip import PROTOCOLS, decode_sip

UDP_KIND, TCP_KIND = PROTOCOLS

SDP = (
    b"v=0\r\no=alice 1 1 IN IP4 192.0.2.10\r\ns=Call\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 51372 RTP/AVP 31\r\n"
)
INVITE = (
    b"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\n"
    b"From: \"Alice\" <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: 7@192.0.2.10\r\n"
    b"CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.10>\r\nUser-Agent: Doorbell 2.1\r\n"
    b"Authorization: Digest username=\"alice\", response=\"6629fae49393a05397450978507c4ef1\"\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: " + str(len(SDP)).encode() + b"\r\n\r\n" + SDP
)  # fmt: skip
RINGING = (
    b"SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP 192.0.2.10\r\nf: <sip:alice@example.com>\r\n"
    b"t: <sip:bob@example.org>;tag=2\r\n"
    b"i: 7@192.0.2.10\r\nCSeq: 1 INVITE\r\nServer: PBX/16\r\nl: 0\r\n\r\n"
)


def test_an_invitation_tells_who_calls_whom_and_never_a_credential() -> None:
    assert fields(UDP_KIND, [(CLIENT, INVITE)], at_port(5060)) == [
        {
            "sip.method": "INVITE",
            "sip.uri": "sip:bob@example.org",
            "sip.version": "2.0",
            "sip.via": "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1",
            "sip.from": '"Alice" <sip:alice@example.com>;tag=1',
            "sip.to": "<sip:bob@example.org>",
            "sip.call_id": "7@192.0.2.10",
            "sip.cseq": "1 INVITE",
            "sip.contact": "<sip:alice@192.0.2.10>",
            "user_agent.original": "Doorbell 2.1",
            "sip.content_type": "application/sdp",
            "sip.has_authorization": True,
            "sip.content_length": len(SDP),
            "sip.sdp.origin": "alice 1 1 IN IP4 192.0.2.10",
            "sip.sdp.session_name": "Call",
            "sip.sdp.connection_data": "IN IP4 192.0.2.10",
            "sip.sdp.time": "0 0",
            "sip.sdp.media_attributes": ["rtpmap:0 PCMU/8000"],
            "sip.sdp.media": ["audio 49170 RTP/AVP 0", "video 51372 RTP/AVP 31"],
        }
    ]


def test_an_answer_tells_its_status_also_with_short_names() -> None:
    [message] = fields(UDP_KIND, [(SERVER, RINGING)], at_port(5060))
    assert (message["sip.status_code"], message["sip.reason"]) == (180, "Ringing")
    assert (message["sip.call_id"], message["sip.to"]) == ("7@192.0.2.10", "<sip:bob@example.org>;tag=2")
    assert message["sip.server"] == "PBX/16"


def test_lines_that_keep_a_way_open_are_no_messages() -> None:
    assert fields(UDP_KIND, [(CLIENT, b"\r\n\r\n"), (CLIENT, b"\x00\x00"), (CLIENT, b"hello")], at_port(5060)) == []


@pytest.mark.parametrize(
    ("side", "raw", "is_turned"),
    [(CLIENT, INVITE, False), (SERVER, RINGING, False), (SERVER, INVITE, True), (CLIENT, RINGING, True)],
)
def test_the_source_is_the_side_that_asks(side: int, raw: bytes, is_turned: bool) -> None:
    for kind in PROTOCOLS:
        [message] = kind.decoder(at_port(5060)).feed(side, raw, 0).messages
        assert message.is_turned is is_turned


def test_a_folded_line_is_one_value() -> None:
    message, _ = decode_sip(b"OPTIONS sip:a SIP/2.0\r\nSubject: one\r\n  two\r\n\r\n")
    assert message["sip.subject"] == "one two"


@pytest.mark.parametrize("length", [b"-1", b"9999999", b"abc"])
def test_a_length_that_is_none_is_reported_beside_the_rest(length: bytes) -> None:
    message, _ = decode_sip(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: " + length + b"\r\n\r\n")
    assert (message["sip.method"], message["error.code"]) == ("OPTIONS", "malformed")


@settings(deadline=None)
@given(cut_anywhere([(CLIENT, INVITE + b"\r\n\r\n" + RINGING + INVITE)]))
def test_messages_in_a_stream_are_the_same_in_any_pieces(said: list[Said]) -> None:
    messages = fields(TCP_KIND, said, at_port(5060))
    assert [message.get("sip.method", message.get("sip.status_code")) for message in messages] == [
        "INVITE",
        180,
        "INVITE",
    ]
    assert messages[0] == messages[2]
    assert messages[0]["sip.sdp.session_name"] == "Call"


def test_messages_without_length_have_no_body_in_a_stream() -> None:
    raw = b"OPTIONS sip:a SIP/2.0\r\n\r\n"
    assert len(fields(TCP_KIND, [(CLIENT, raw * 3)], at_port(5060))) == 3
    assert len(fields(UDP_KIND, [(CLIENT, raw * 3)], at_port(5060))) == 1


def test_a_long_body_is_skipped() -> None:
    head = b"MESSAGE sip:a SIP/2.0\r\nContent-Length: 100000\r\n\r\n"
    said = [(CLIENT, head), (CLIENT, b"x" * 60_000), (CLIENT, b"x" * 40_000 + RINGING)]
    assert [message.get("sip.status_code") for message in fields(TCP_KIND, said, at_port(5060))] == [None, 180]


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"INVITE sip:a HTTP/1.1\r\n\r\n",
        b"SIP/2.0 99 no\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_sip(junk)


def test_a_stream_that_is_none_is_refused() -> None:
    [message] = fields(TCP_KIND, [(CLIENT, b"x" * 200)], at_port(5060))
    assert message["error.code"] == "malformed"


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (INVITE, Verdict.YES),
        (RINGING, Verdict.YES),
        (INVITE[:12], Verdict.YES),
        (b"INV", Verdict.MORE),
        (b"SIP", Verdict.MORE),
        (b"INVITE s", Verdict.MORE),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", Verdict.NO),
        (b"NOTIFY * HTTP/1.1\r\n\r\n", Verdict.NO),
        (b"SSH-2.0-x", Verdict.NO),
        (b"BINARY", Verdict.NO),
    ],
)
def test_the_first_line_decides(data: bytes, verdict: Verdict) -> None:
    assert TCP_KIND.recognise(data, CLIENT, at_port(4_000)) is verdict


@settings(deadline=None)
@given(
    st.sampled_from(PROTOCOLS), st.one_of(garbage(), mutated([(CLIENT, INVITE), (SERVER, RINGING), (CLIENT, INVITE)]))
)
def test_whatever_arrives_becomes_fields_or_is_refused(kind: ProtocolKind, said: list[Said]) -> None:
    check_survives(kind, said, at_port(5060))
