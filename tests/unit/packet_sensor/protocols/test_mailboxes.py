"""POP3 and IMAP up to the login."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import AGAIN, CLIENT, DONE, SERVER, ProtocolKind, Verdict
from sakimori_packet_sensor.domain.protocols.imap import PROTOCOL as IMAP
from sakimori_packet_sensor.domain.protocols.pop3 import PROTOCOL as POP3

POP3_SESSION: list[Said] = [
    (SERVER, b"+OK ready\r\n"),
    (CLIENT, b"CAPA\r\n"),
    (SERVER, b"+OK list follows\r\nUSER\r\nSTLS\r\n.\r\n"),
    (CLIENT, b"USER printer\r\n"),
    (SERVER, b"+OK\r\n"),
    (CLIENT, b"PASS hunter2\r\n"),
    (SERVER, b"-ERR no\r\n"),
    (CLIENT, b"USER scanner\r\n"),
    (SERVER, b"+OK\r\n"),
    (CLIENT, b"PASS hunter3\r\n"),
    (SERVER, b"+OK welcome\r\n"),
]
IMAP_SESSION: list[Said] = [
    (SERVER, b"* OK IMAP ready\r\n"),
    (CLIENT, b"a1 CAPABILITY\r\n"),
    (SERVER, b"* CAPABILITY IMAP4rev1\r\na1 OK done\r\n"),
    (CLIENT, b'a2 LOGIN "prin ter" hunter2\r\n'),
    (SERVER, b"a2 NO wrong\r\n"),
    (CLIENT, b"a3 login scanner {7}\r\n"),
    (SERVER, b"+ go on\r\n"),
    (CLIENT, b"hunter3\r\n"),
    (SERVER, b"a3 OK [CAPABILITY] welcome\r\n"),
]


@pytest.mark.parametrize(
    ("kind", "session", "names"),
    [(POP3, POP3_SESSION, ["printer", "scanner"]), (IMAP, IMAP_SESSION, ["prin ter", "scanner"])],
)
def test_each_login_is_an_event_without_the_password(kind: ProtocolKind, session: list[Said], names: list[str]) -> None:
    said = fields(kind, session)
    assert [event["user.name"] for event in said] == names
    assert [event["event.outcome"] for event in said] == ["failure", "success"]
    assert [event[f"{kind.name}.type"] for event in said] == ["login", "login"]
    assert all(event[f"{kind.name}.has_password"] for event in said)
    assert "hunter" not in str(said)


@pytest.mark.parametrize(("kind", "session"), [(POP3, POP3_SESSION), (IMAP, IMAP_SESSION)])
def test_after_the_login_nothing_more_is_read(kind: ProtocolKind, session: list[Said]) -> None:
    decoder = kind.decoder(at_port(110))
    assert [decoder.feed(side, data, 0).consumed for side, data in session][-1] == DONE


@pytest.mark.parametrize(
    ("kind", "asked", "granted"),
    [(POP3, b"STLS\r\n", b"+OK begin\r\n"), (IMAP, b"x STARTTLS\r\n", b"x OK begin\r\n")],
)
def test_tls_takes_over_when_it_was_granted(kind: ProtocolKind, asked: bytes, granted: bytes) -> None:
    decoder = kind.decoder(at_port(110))
    decoder.feed(CLIENT, asked, 0)
    (message,), consumed = decoder.feed(SERVER, granted, 0)
    assert consumed == AGAIN
    assert message.fields[f"{kind.name}.starttls"] is True


@pytest.mark.parametrize(
    ("kind", "said", "method"),
    [
        (POP3, [(SERVER, b"+OK\r\n"), (CLIENT, b"APOP printer 0123\r\n"), (SERVER, b"-ERR\r\n")], "apop"),
        (POP3, [(SERVER, b"+OK\r\n"), (CLIENT, b"AUTH PLAIN\r\n"), (SERVER, b"+ \r\n"), (CLIENT, b"AGEA\r\n"),
                (SERVER, b"-ERR\r\n")], "sasl"),
        (IMAP, [(CLIENT, b"x AUTHENTICATE PLAIN AGEA\r\n"), (SERVER, b"x NO\r\n")], "plain"),
    ],
)  # fmt: skip
def test_other_ways_to_log_in_have_names(kind: ProtocolKind, said: list[Said], method: str) -> None:
    (event,) = fields(kind, said)
    assert event[f"{kind.name}.auth_method"] == method
    assert event["event.outcome"] == "failure"
    assert "AGEA" not in str(event)


@pytest.mark.parametrize(("kind", "greeting"), [(POP3, b"+OK ready\r\n"), (IMAP, b"* OK ready\r\n")])
def test_a_greeting_tells_it_on_any_port_and_is_kept(kind: ProtocolKind, greeting: bytes) -> None:
    assert kind.recognise(greeting, SERVER, at_port(4000)) is Verdict.YES
    assert kind.recognise(greeting[:2], SERVER, at_port(4000)) is Verdict.MORE
    assert kind.recognise(b"220 ready\r\n", SERVER, at_port(4000)) is Verdict.NO
    (said,) = fields(kind, [(SERVER, greeting)])
    assert said[f"{kind.name}.type"] == "session"
    assert "ready" in said[f"{kind.name}.greeting"]


@given(cut_anywhere(POP3_SESSION), cut_anywhere(IMAP_SESSION))
def test_pieces_make_no_difference(pop3: list[Said], imap: list[Said]) -> None:
    assert converse(POP3, pop3) == converse(POP3, POP3_SESSION)
    assert converse(IMAP, imap) == converse(IMAP, IMAP_SESSION)


@given(st.one_of(mutated(POP3_SESSION), mutated(IMAP_SESSION), garbage()))
def test_whatever_comes_the_decoders_keep_their_word(said: list[Said]) -> None:
    check_survives(POP3, said, at_port(110))
    check_survives(IMAP, said, at_port(143))
