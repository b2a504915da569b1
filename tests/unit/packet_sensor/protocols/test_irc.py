"""IRC: who, where, and nothing of what is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.irc import PROTOCOL

SESSION: list[Said] = [
    (CLIENT, b"PASS letmein\r\nNICK bot-7\r\nUSER mirai 8 * :a real name\r\n"),
    (SERVER, b":irc.example.net NOTICE * :*** Looking up\r\n:irc.example.net 001 bot-7 :Welcome\r\n"),
    (CLIENT, b"JOIN #herd,#spare key\r\n"),
    (SERVER, b":bot-7!~m@192.0.2.10 JOIN :#herd\r\n:boss!b@x PRIVMSG #herd :.flood 203.0.113.9 80\r\nPING :1\r\n"),
    (CLIENT, b"PONG :1\r\nPRIVMSG #herd :done with it\r\nQUIT :gone\r\n"),
]


def test_who_comes_where_is_said() -> None:
    said = fields(PROTOCOL, SESSION)
    assert [event["irc.command"] for event in said] == ["nick", "user", "welcome", "join", "quit", "summary"]
    assert said[3] == {
        "irc.command": "join",
        "irc.nick": "bot-7",
        "irc.has_password": True,
        "irc.real_name": "a real name",
        "irc.server": "irc.example.net",
        "irc.channels": ["#herd", "#spare"],
        "user.name": "mirai",
    }


def test_what_is_said_is_counted_and_not_kept() -> None:
    said = fields(PROTOCOL, SESSION)
    assert said[-1]["irc.count.privmsg_sent"] == 1
    assert said[-1]["irc.count.privmsg_received"] == 1
    assert not any(secret in str(said) for secret in ("letmein", "flood", "done with it"))


def test_a_server_that_refuses_is_a_failure() -> None:
    said = fields(PROTOCOL, [*SESSION[:1], (SERVER, b":irc.example.net 464 * :Password incorrect\r\n")])
    assert said[2]["irc.reply_code"] == 464
    assert said[2]["event.outcome"] == "failure"


def test_endless_joins_are_counted_beyond_a_bound() -> None:
    said = fields(PROTOCOL, [(CLIENT, b"JOIN #c\r\n" * 1000)])
    assert len(said) == 65
    assert said[-1]["irc.count.join_beyond"] == 936


def test_tls_takes_over_when_it_was_granted() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    assert decoder.feed(SERVER, b":irc.example.net 670 * :STARTTLS successful\r\n", 0).consumed == AGAIN


@pytest.mark.parametrize(
    ("side", "first", "verdict"),
    [
        (CLIENT, b"NICK bot-7\r\n", Verdict.YES),
        (CLIENT, b"USER mirai 8 * :x\r\n", Verdict.YES),
        (CLIENT, b"CAP LS 302\r\n", Verdict.YES),
        (CLIENT, b"PASS letmein\r\nNICK a\r\n", Verdict.YES),
        (CLIENT, b"PASS letmein\r\n", Verdict.MORE),
        (CLIENT, b"STARTTLS\r\n", Verdict.MORE),
        (SERVER, b":irc.example.net 670 :go on\r\n", Verdict.YES),
        (CLIENT, b"USER camera\r\n", Verdict.NO),
        (CLIENT, b"NOTIFY * HTTP/1.1\r\n", Verdict.NO),
        (SERVER, b":irc.example.net 001 a :Welcome\r\n", Verdict.YES),
        (SERVER, b"NOTICE AUTH :*** Checking\r\n", Verdict.YES),
        (SERVER, b"220 hello\r\n", Verdict.NO),
    ],
)
def test_it_is_told_on_any_port(side: int, first: bytes, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, side, ENDS) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said)
