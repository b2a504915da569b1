"""RFB: versions, security and outcome of a screen that is looked at."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.rfb import PROTOCOL

SCREEN = pack(">HH", 1024, 768) + bytes(16) + pack(">I", 7) + b"kitchen"
SESSION: list[Said] = [
    (SERVER, b"RFB 003.008\n"),
    (CLIENT, b"RFB 003.008\n"),
    (SERVER, b"\x02\x02\x01"),
    (CLIENT, b"\x02"),
    (SERVER, bytes(range(16))),
    (CLIENT, bytes(16)),
    (SERVER, bytes(4)),
    (CLIENT, b"\x01"),
    (SERVER, SCREEN),
]


def test_an_opened_screen_is_one_event() -> None:
    (said,) = fields(PROTOCOL, SESSION)
    assert said == {
        "rfb.server_protocol_version.major": "003",
        "rfb.server_protocol_version.minor": "008",
        "rfb.client_protocol_version.major": "003",
        "rfb.client_protocol_version.minor": "008",
        "rfb.authentication.offered": ["vnc", "none"],
        "rfb.authentication.security_type": 2,
        "rfb.authentication.method": "vnc",
        "rfb.authentication.result": "ok",
        "rfb.screen_shared": True,
        "rfb.framebuffer.width": 1024,
        "rfb.framebuffer.height": 768,
        "rfb.framebuffer.name": "kitchen",
        "event.outcome": "success",
    }


def test_a_wrong_password_is_a_failure_with_its_reason() -> None:
    refused: list[Said] = [*SESSION[:6], (SERVER, pack(">II", 1, 6) + b"no way")]
    (said,) = fields(PROTOCOL, refused)
    assert said["event.outcome"] == "failure"
    assert said["rfb.server_security_failure_reason"] == "no way"


def test_a_server_that_offers_nothing_says_why() -> None:
    (said,) = fields(PROTOCOL, [*SESSION[:2], (SERVER, b"\x00" + pack(">I", 8) + b"too many")])
    assert said["rfb.server_security_failure_reason"] == "too many"


def test_an_old_server_decides_itself() -> None:
    old: list[Said] = [
        (SERVER, b"RFB 003.003\n"),
        (CLIENT, b"RFB 003.003\n"),
        (SERVER, pack(">I", 1)),
        (CLIENT, b"\x00"),
        (SERVER, SCREEN),
    ]
    (said,) = fields(PROTOCOL, old)
    assert (said["rfb.authentication.method"], said["rfb.framebuffer.name"]) == ("none", "kitchen")


@pytest.mark.parametrize(
    ("first", "verdict"), [(b"RFB 003.008\n", Verdict.YES), (b"RFB", Verdict.MORE), (b"RFB 3.8\n....", Verdict.NO)]
)
def test_it_is_told_by_its_version(first: bytes, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, SERVER, ENDS) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)
