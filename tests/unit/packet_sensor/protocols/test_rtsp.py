"""RTSP: what is asked of a camera, and what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.rtsp import PROTOCOL, url_fields

DESCRIBE = (
    b"DESCRIBE rtsp://viewer:hunter2@192.0.2.7:8554/live/ch0?a=1 RTSP/1.0\r\nCSeq: 2\r\nUser-Agent: LibVLC/3.0\r\n\r\n"
)
SESSION: list[Said] = [
    (CLIENT, b"OPTIONS rtsp://192.0.2.7/ RTSP/1.0\r\nCSeq: 1\r\n\r\n" + DESCRIBE),
    (SERVER, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: Example Camera/2.4\r\nPublic: DESCRIBE\r\n\r\n"),
    (
        SERVER,
        b'RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm="door", nonce="1f"\r\n\r\n',
    ),
    (
        CLIENT,
        b"DESCRIBE rtsp://192.0.2.7:8554/live/ch0 RTSP/1.0\r\nCSeq: 3\r\n"
        b'Authorization: Digest username="viewer", realm="door", nonce="1f", response="5ec2e7"\r\n\r\n',
    ),
    (SERVER, b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Type: application/sdp\r\nContent-Length: 7\r\n\r\nv=0\r\ns=\n"),
    (SERVER, b"$\x00\x00\x05RTSP/" + b"$\x01\x00\x01x"),
    (CLIENT, b"TEARDOWN rtsp://192.0.2.7:8554/live/ch0 RTSP/1.0\r\nCSeq: 4\r\n\r\n"),
]


def test_a_request_and_its_answer_are_one_event() -> None:
    said = fields(PROTOCOL, SESSION)
    assert [(event["rtsp.method"], event.get("rtsp.status_code")) for event in said] == [
        ("OPTIONS", 200),
        ("DESCRIBE", 401),
        ("DESCRIBE", 200),
        ("TEARDOWN", None),
    ]
    assert said[0]["rtsp.server"] == "Example Camera/2.4"
    assert said[1] == {
        "rtsp.method": "DESCRIBE",
        "rtsp.version": "1.0",
        "url.original": "rtsp://192.0.2.7:8554/live/ch0?a=1",
        "url.domain": "192.0.2.7",
        "url.path": "/live/ch0",
        "user.name": "viewer",
        "rtsp.cseq": 2,
        "user_agent.original": "LibVLC/3.0",
        "rtsp.status_code": 401,
        "rtsp.status": "Unauthorized",
        "rtsp.auth_scheme": "Digest",
        "rtsp.realm": "door",
        "event.outcome": "failure",
    }


def test_credentials_are_named_and_not_kept() -> None:
    said = fields(PROTOCOL, SESSION)
    assert said[2]["rtsp.has_authorization"] is True
    assert said[2]["user.name"] == "viewer"
    assert not any(secret in str(said) for secret in ("hunter2", "5ec2e7"))


def test_a_broken_url_loses_whatever_stands_before_the_at() -> None:
    assert url_fields(b"rtsp:/x:hunter2@host/") == {"url.original": "host/"}


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        (b"OPTIONS rtsp://192.0.2.7/ RTSP/1.0\r\n", Verdict.YES),
        (b"OPTIONS * RTSP/1.0\r\n", Verdict.YES),
        (b"RTSP/1.0 200 OK\r\n", Verdict.YES),
        (b"OPTIONS r", Verdict.MORE),
        (b"OPTIONS * HTTP/1.1\r\n", Verdict.NO),
        (b"PLAYLIST", Verdict.NO),
    ],
)
def test_it_is_told_by_its_first_line(first: bytes, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, CLIENT, ENDS) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)
