"""Telnet: negotiation, prompts, and what came of a login."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, DONE, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.telnet import PROTOCOL

OPENING: list[Said] = [
    (SERVER, b"\xff\xfd\x18\xff\xfb\x01"),
    (CLIENT, b"\xff\xfb\x18\xff\xfd\x01"),
    (SERVER, b"\xff\xfa\x18\x01\xff\xf0"),
    (CLIENT, b"\xff\xfa\x18\x00xterm\xff\xf0"),
]
REFUSED: list[Said] = [
    (SERVER, b"\r\ncam login: "),
    (CLIENT, b"root\r\n"),
    (SERVER, b"root\r\nPassword: "),
    (CLIENT, b"xc3511\r\n"),
    (SERVER, b"\r\nLogin incorrect\r\n"),
]
GRANTED: list[Said] = [
    (SERVER, b"cam login: "),
    (CLIENT, b"admin\r\n"),
    (SERVER, b"admin\r\nPassword: "),
    (CLIENT, b"hunter2\r\n"),
    (SERVER, b"\r\nLast login: yesterday\r\nBusyBox v1.19\r\n# "),
]


def test_each_login_is_an_event_without_the_password() -> None:
    said = fields(PROTOCOL, [*OPENING, *REFUSED, *GRANTED])
    assert said[0] == {
        "telnet.type": "login",
        "user.name": "root",
        "telnet.has_password": True,
        "event.outcome": "failure",
    }
    assert said[1]["user.name"] == "admin"
    assert said[1]["event.outcome"] == "success"
    assert said[2] == {
        "telnet.type": "session",
        "telnet.options": ["terminal_type", "echo"],
        "telnet.terminal_type": "xterm",
        "telnet.prompt": "Password:",
        "telnet.logins": 2,
    }
    assert not any(secret in str(said) for secret in ("xc3511", "hunter2"))


def test_after_a_login_nothing_more_is_read() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    assert [decoder.feed(side, data, 0).consumed for side, data in GRANTED][-1] == DONE


def test_a_name_typed_letter_by_letter_is_put_together() -> None:
    typed: list[Said] = [(SERVER, b"login: ")]
    for letter in b"adx\x7fmin":
        typed += [(CLIENT, bytes([letter])), (SERVER, bytes([letter]))]
    typed += [(CLIENT, b"\r\x00"), (SERVER, b"\r\nPassword: "), (CLIENT, b"s\r\x00"), (SERVER, b"\r\nlogin: ")]
    assert fields(PROTOCOL, typed)[0]["user.name"] == "admin"


def test_a_new_prompt_is_a_refusal_and_no_answer_is_unknown() -> None:
    again: list[Said] = [*GRANTED[:4], (SERVER, b"\r\ncam login: ")]
    assert [event.get("event.outcome") for event in fields(PROTOCOL, again)] == ["failure", None]
    assert [event.get("event.outcome") for event in fields(PROTOCOL, GRANTED[:4])] == ["unknown", None]


def test_endless_talk_is_not_followed_for_ever() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    pieces = 0
    while decoder.feed(SERVER, b"news " * 200, 0).consumed != DONE:
        pieces += 1
    assert pieces == 65


@pytest.mark.parametrize(
    ("first", "port", "verdict"),
    [
        (b"\xff\xfd\x18", 4000, Verdict.YES),
        (b"\xff\xfd", 4000, Verdict.MORE),
        (b"\xff\xd8\xff\xe0", 4000, Verdict.NO),
        (b"login: ", 23, Verdict.YES),
        (b"login: ", 4000, Verdict.NO),
        (b"SSH-2.0-x\x00\x01\x02\x03", 23, Verdict.NO),
    ],
)
def test_it_is_told_by_negotiation_or_text_on_its_port(first: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, SERVER, at_port(port)) is verdict


@given(cut_anywhere([*OPENING, *REFUSED]))
def test_pieces_make_no_difference_to_a_negotiation(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces)[-1] == converse(PROTOCOL, [*OPENING, *REFUSED])[-1]


@given(st.one_of(mutated([*OPENING, *REFUSED, *GRANTED]), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(23))
