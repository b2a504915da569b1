"""FTP's control connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.ftp import PROTOCOL

SESSION: list[Said] = [
    (SERVER, b"220-Welcome to the\r\n220 Example FTP server\r\n"),
    (CLIENT, b"USER camera\r\n"),
    (SERVER, b"331 Password please\r\n"),
    (CLIENT, b"PASS hunter2\r\n"),
    (SERVER, b"230 Logged in\r\n"),
    (CLIENT, b"EPSV\r\n"),
    (SERVER, b"229 Entering Extended Passive Mode (|||58612|)\r\n"),
    (CLIENT, b"STOR snapshots/door 1.jpg\r\n"),
    (SERVER, b"150 Go on\r\n226 Done\r\n"),
    (CLIENT, b"QUIT\r\n"),
    (SERVER, b"221 Bye\r\n"),
]


def test_a_command_and_its_replies_are_one_event() -> None:
    said = fields(PROTOCOL, SESSION)
    assert [event.get("ftp.command") for event in said] == [None, "USER", "PASS", "EPSV", "STOR", "QUIT"]
    assert said[0]["ftp.reply"] == "Welcome to the"
    assert said[4] == {
        "ftp.command": "STOR",
        "ftp.command_data": "snapshots/door 1.jpg",
        "file.path": "snapshots/door 1.jpg",
        "user.name": "camera",
        "ftp.completion_code": [150, 226],
        "ftp.reply_code": 226,
        "ftp.reply": "Done",
        "event.outcome": "success",
    }


def test_a_password_is_never_kept() -> None:
    said = fields(PROTOCOL, SESSION)
    assert said[2]["ftp.has_password"] is True
    assert said[2]["user.name"] == "camera"
    assert "hunter2" not in str(said)


def test_a_refused_login_is_a_failure_of_that_user() -> None:
    refused = [*SESSION[:4], (SERVER, b"530 No\r\n")]
    said = fields(PROTOCOL, refused)[-1]
    assert (said["ftp.command"], said["ftp.reply_code"], said["event.outcome"]) == ("PASS", 530, "failure")
    assert said["user.name"] == "camera"


@pytest.mark.parametrize(
    ("command", "reply", "mode", "port"),
    [
        (b"PASV", b"227 Entering Passive Mode (192,0,2,1,221,90)", "passive", 56_666),
        (b"EPSV", b"229 Extended (|||2121|)", "passive", 2121),
        (b"PORT 192,0,2,10,131,46", b"200 ok", "active", 33_582),
        (b"EPRT |2|2001:db8::1|5282|", b"200 ok", "active", 5282),
        (b"PORT 192,0,2,10,131,46", b"500 no", None, None),
    ],
)
def test_the_data_connection_is_announced(command: bytes, reply: bytes, mode: str | None, port: int | None) -> None:
    (said,) = fields(PROTOCOL, [(CLIENT, command + b"\r\n"), (SERVER, reply + b"\r\n")])
    assert (said.get("ftp.mode"), said.get("ftp.dynamic_port")) == (mode, port)


def test_tls_takes_over_when_it_was_granted() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    decoder.feed(CLIENT, b"AUTH TLS\r\n", 0)
    messages, consumed = decoder.feed(SERVER, b"234 go ahead\r\n", 0)
    assert consumed == AGAIN
    assert messages[0].fields["ftp.command_data"] == "TLS"


def test_replies_go_with_pipelined_commands_in_order() -> None:
    said = fields(PROTOCOL, [(CLIENT, b"NOOP\r\nSYST\r\nPWD\r\n"), (SERVER, b"200 a\r\n215 b\r\n257 c\r\n")])
    assert [(event["ftp.command"], event["ftp.reply_code"]) for event in said] == [
        ("NOOP", 200),
        ("SYST", 215),
        ("PWD", 257),
    ]


def test_commands_without_answer_are_said_at_the_end() -> None:
    said = fields(PROTOCOL, [(CLIENT, b"DELE a\r\n")])
    assert said == [
        {"ftp.command": "DELE", "ftp.command_data": "a", "file.path": "a", "event.outcome": "unknown"},
    ]


def test_a_reply_code_that_cannot_be_is_malformed() -> None:
    said = fields(PROTOCOL, [(CLIENT, b"PASV\r\n"), (SERVER, b"99 PASV invalid\r\n")])
    assert said == [{"ftp.command": "PASV", "error.code": "malformed", "error.message": "no reply"}]


def test_a_command_without_end_has_its_answer_and_no_text() -> None:
    said = fields(PROTOCOL, [(CLIENT, b"TYPE" + b"E" * 9000 + b"\r\nPWD\r\n"), (SERVER, b"500 what?\r\n257 /\r\n")])
    assert [(event["ftp.command"], event["ftp.reply_code"]) for event in said] == [("unknown", 500), ("PWD", 257)]
    assert said[0]["error.code"] == "malformed"


def test_a_server_that_talks_without_end_is_given_up() -> None:
    said = fields(PROTOCOL, [(SERVER, b"welcome to this server\r\n" * 1000)])
    assert len(said) == 9


@pytest.mark.parametrize(
    ("side", "first", "port", "verdict"),
    [
        (SERVER, b"220 ProFTPD 1.3\r\n", 4000, Verdict.YES),
        (SERVER, b"220 hello\r\n", 4000, Verdict.MORE),
        (SERVER, b"220 hello\r\n", 21, Verdict.YES),
        (SERVER, b"220 mail.example ESMTP\r\n", 4000, Verdict.NO),
        (CLIENT, b"USER camera\r\n", 4000, Verdict.YES),
        (CLIENT, b"USER camera\r\n", 110, Verdict.NO),
        (CLIENT, b"USER a b c :d\r\n", 4000, Verdict.NO),
        (CLIENT, b"GET / HTTP/1.1\r\n", 4000, Verdict.NO),
        (CLIENT, b"GET / HTTP/1.1\r\n", 21, Verdict.NO),
        (CLIENT, b"SSH-2.0-OpenSSH_9.6\r\n", 21, Verdict.NO),
        (CLIENT, b"retr firmware.bin\r\n", 21, Verdict.YES),
        (CLIENT, b"\x16\x03\x01\x02\x00\x01", 21, Verdict.NO),
    ],
)
def test_it_is_told_by_what_is_said(side: int, first: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, side, at_port(port)) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(21))
