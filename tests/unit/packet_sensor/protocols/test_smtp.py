"""SMTP: one event a mail, whatever happens around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.smtp import PROTOCOL

HELLO: list[Said] = [
    (SERVER, b"220 mx.example.net ESMTP\r\n"),
    (CLIENT, b"EHLO client.example\r\n"),
    (SERVER, b"250-mx.example.net\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
]
MAIL: list[Said] = [
    (CLIENT, b"MAIL FROM:<alice@example.com> SIZE=100\r\n"),
    (SERVER, b"250 ok\r\n"),
    (CLIENT, b"RCPT TO:<bob@example.net>\r\nRCPT TO:<nobody@example.net>\r\n"),
    (SERVER, b"250 ok\r\n550 who?\r\n"),
    (CLIENT, b"DATA\r\n"),
    (SERVER, b"354 go on\r\n"),
    (CLIENT, b"Subject: secret plans\r\n\r\nMAIL FROM:<not@a.command>\r\n..\r\nend\r\n.\r\n"),
    (SERVER, b"250 queued\r\n"),
]
QUIT: list[Said] = [(CLIENT, b"QUIT\r\n"), (SERVER, b"221 bye\r\n")]
SESSION = [*HELLO, *MAIL, *QUIT]


def test_a_mail_is_an_event_with_its_envelope_and_nothing_of_what_it_says() -> None:
    (said,) = fields(PROTOCOL, SESSION)
    assert said == {
        "smtp.type": "mail",
        "smtp.banner": "mx.example.net ESMTP",
        "smtp.helo": "client.example",
        "smtp.mail_from": "alice@example.com",
        "smtp.rcpt_to": ["bob@example.net"],
        "smtp.rcpt_count": 1,
        "smtp.rcpt_refused_count": 1,
        "smtp.message_bytes": len(MAIL[6][1]) - 5,
        "smtp.reply_code": 250,
        "smtp.reply": "queued",
        "event.outcome": "success",
    }


def test_mails_of_one_connection_are_kept_apart() -> None:
    said = fields(PROTOCOL, [*HELLO, *MAIL, *MAIL, *QUIT])
    assert [event["smtp.rcpt_to"] for event in said] == [["bob@example.net"]] * 2


def test_a_pipelined_mail_is_the_same_mail() -> None:
    asked = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"
    said = fields(
        PROTOCOL,
        [
            *HELLO,
            (CLIENT, asked),
            (SERVER, b"250 a\r\n250 b\r\n354 c\r\n"),
            (CLIENT, b"x\r\n.\r\n"),
            (SERVER, b"250 d\r\n"),
        ],
    )
    assert [(event["smtp.mail_from"], event["smtp.message_bytes"]) for event in said] == [("alice@example.com", 1)]


def test_chunks_are_skipped_by_their_size() -> None:
    said = fields(
        PROTOCOL,
        [
            *HELLO,
            *MAIL[:4],
            (CLIENT, b"BDAT 19\r\nMAIL FROM:<x@y.z>\r\nBDAT 6 LAST\r\nRCPT\r\n"),
            (SERVER, b"250 1\r\n250 2\r\n"),
            *QUIT,
        ],
    )
    assert [(event["smtp.mail_from"], event["smtp.message_bytes"]) for event in said] == [("alice@example.com", 25)]


@pytest.mark.parametrize("wrong", [b"BDAT 5 X", b"BDAT -1", b"BDAT 99999999999999999999 LAST", b"BDAT"])
def test_a_wrong_chunk_is_an_anomaly_and_skips_nothing(wrong: bytes) -> None:
    refused: list[Said] = [(CLIENT, wrong + b"\r\n"), (SERVER, b"521 no\r\n")]
    good: list[Said] = [(CLIENT, b"BDAT 4 LAST\r\nmail"), (SERVER, b"250 ok\r\n")]
    (said,) = fields(PROTOCOL, [*HELLO, *MAIL[:4], *refused, *good, *QUIT])
    assert said["smtp.anomaly"] == "invalid_bdat"
    assert (said["smtp.message_bytes"], said["smtp.reply_code"]) == (4, 250)


def test_a_reset_ends_the_mail_in_hand() -> None:
    said = fields(PROTOCOL, [*HELLO, *MAIL[:2], (CLIENT, b"RSET\r\n"), (SERVER, b"250 ok\r\n"), *MAIL, *QUIT])
    assert [("smtp.rcpt_to" in event, event["smtp.mail_from"]) for event in said] == [
        (False, "alice@example.com"),
        (True, "alice@example.com"),
    ]


def test_a_refused_greeting_changes_nothing() -> None:
    again: list[Said] = [(CLIENT, b"EHLO other.example\r\n"), (SERVER, b"503 no\r\n")]
    (said,) = fields(PROTOCOL, [*HELLO, *MAIL[:2], *again, *MAIL[2:], *QUIT])
    assert said["smtp.helo"] == "client.example"
    assert said["smtp.mail_from"] == "alice@example.com"


@pytest.mark.parametrize(("code", "outcome"), [(b"235", "success"), (b"535", "failure")])
def test_a_login_has_its_mechanism_and_no_credentials(code: bytes, outcome: str) -> None:
    said = fields(
        PROTOCOL,
        [
            *HELLO,
            (CLIENT, b"AUTH LOGIN\r\n"),
            (SERVER, b"334 VXNlcm5hbWU6\r\n"),
            (CLIENT, b"Y2FtZXJh\r\n"),
            (SERVER, b"334 UGFzc3dvcmQ6\r\n"),
            (CLIENT, b"aHVudGVyMg==\r\n"),
            (SERVER, code + b" done\r\n"),
        ],
    )
    assert said[0]["smtp.type"] == "auth"
    assert said[0]["smtp.auth_mechanism"] == "LOGIN"
    assert said[0]["event.outcome"] == outcome
    assert "aHVudGVyMg" not in str(said)
    assert "Y2FtZXJh" not in str(said)


def test_the_initial_response_of_a_login_is_not_kept() -> None:
    said = fields(PROTOCOL, [*HELLO, (CLIENT, b"AUTH PLAIN AGEAYg==\r\n"), (SERVER, b"235 ok\r\n")])
    assert said[0]["smtp.auth_mechanism"] == "PLAIN"
    assert "AGEAYg" not in str(said)


def test_tls_takes_over_when_it_was_granted() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    for side, data in HELLO:
        decoder.feed(side, data, 0)
    decoder.feed(CLIENT, b"STARTTLS\r\n", 0)
    (message,), consumed = decoder.feed(SERVER, b"220 go\r\n", 0)
    assert consumed == AGAIN
    assert message.fields["smtp.starttls"] is True
    assert message.fields["smtp.helo"] == "client.example"


def test_a_session_without_mail_is_an_event() -> None:
    (said,) = fields(PROTOCOL, [*HELLO, *QUIT])
    assert (said["smtp.type"], said["smtp.helo"]) == ("session", "client.example")


def test_one_side_alone_is_taken_at_its_word() -> None:
    (said,) = fields(PROTOCOL, [(side, data) for side, data in SESSION if side == CLIENT])
    assert (said["smtp.helo"], said["smtp.mail_from"]) == ("client.example", "alice@example.com")
    assert said["smtp.rcpt_to"] == ["bob@example.net", "nobody@example.net"]


def test_a_mail_that_the_server_did_not_answer_any_more_is_said() -> None:
    asked = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nx\r\n.\r\n"
    (said,) = fields(PROTOCOL, [*HELLO, (CLIENT, asked)])
    assert (said["smtp.mail_from"], said["event.outcome"]) == ("alice@example.com", "unknown")
    assert "smtp.reply_code" not in said


def test_a_huge_mail_waits_for_nothing() -> None:
    decoder = PROTOCOL.decoder(ENDS)
    for side, data in [*HELLO, *MAIL[:6]]:
        decoder.feed(side, data, 0)
    assert decoder.feed(CLIENT, b"x" * 1_000_000, 0).consumed >= 1_000_000 - 4


@pytest.mark.parametrize(
    ("side", "first", "port", "verdict"),
    [
        (SERVER, b"220 mx.example.net ESMTP\r\n", 4000, Verdict.YES),
        (SERVER, b"220 hello\r\n", 25, Verdict.YES),
        (SERVER, b"220 hello\r\n", 4000, Verdict.MORE),
        (SERVER, b"220 ProFTPD\r\n", 4000, Verdict.NO),
        (CLIENT, b"EHLO client.example\r\n", 4000, Verdict.YES),
        (CLIENT, b"GET / HTTP/1.1\r\n", 25, Verdict.NO),
    ],
)
def test_it_is_told_by_what_is_said(side: int, first: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, side, at_port(port)) is verdict


@given(cut_anywhere(SESSION))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, SESSION)


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(25))
