"""Redis: commands, logins, refusals; no values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.conversations import ENDS, Said, at_port, check_survives, converse, cut_anywhere, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Verdict
from sakimori_packet_sensor.domain.protocols.redis import PROTOCOL


def call(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


SESSION: list[Said] = [
    (CLIENT, call(b"AUTH", b"default", b"hunter2")),
    (SERVER, b"-WRONGPASS invalid username-password pair\r\n"),
    (CLIENT, call(b"SET", b"door", b"secret value") + call(b"get", b"door") + call(b"GET", b"door")),
    (SERVER, b"-NOAUTH Authentication required.\r\n"),
    (CLIENT, call(b"CONFIG", b"SET", b"dir", b"/var/spool/cron")),
    (CLIENT, b"PING\r\n"),
]


def test_the_first_use_of_a_command_is_an_event_and_values_are_not_kept() -> None:
    said = fields(PROTOCOL, SESSION)
    assert said == [
        {
            "redis.command": "AUTH",
            "user.name": "default",
            "redis.has_password": True,
            "redis.error": "WRONGPASS",
            "event.outcome": "failure",
        },
        {"redis.command": "SET", "redis.key": "door"},
        {"redis.command": "GET", "redis.key": "door"},
        {"redis.command": "error", "redis.error": "NOAUTH", "event.outcome": "failure"},
        {"redis.command": "CONFIG", "redis.key": "SET"},
        {"redis.command": "PING"},
        {"redis.command": "summary", "redis.count.commands": 6},
    ]


def test_a_large_value_is_skipped() -> None:
    large = call(b"SET", b"picture", bytes(500_000)) + call(b"PING")
    said = fields(PROTOCOL, [(CLIENT, large[:1000]), (CLIENT, large[1000:])])
    assert [event["redis.command"] for event in said] == ["SET", "PING", "summary"]


@pytest.mark.parametrize(
    ("first", "port", "verdict"),
    [
        (call(b"PING"), 4000, Verdict.YES),
        (b"*1\r\n$4", 4000, Verdict.MORE),
        (b"PING\r\n", 6379, Verdict.YES),
        (b"PING\r\n", 4000, Verdict.NO),
        (b"* OK IMAP ready\r\n", 4000, Verdict.NO),
    ],
)
def test_it_is_told_by_a_call(first: bytes, port: int, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(first, CLIENT, at_port(port)) is verdict
    assert PROTOCOL.recognise(first, SERVER, ENDS) is Verdict.NO


@given(cut_anywhere([piece for piece in SESSION if piece[0] == CLIENT]))
def test_pieces_make_no_difference(pieces: list[Said]) -> None:
    assert converse(PROTOCOL, pieces) == converse(PROTOCOL, [piece for piece in SESSION if piece[0] == CLIENT])


@given(st.one_of(mutated(SESSION), garbage()))
def test_whatever_comes_the_decoder_keeps_its_word(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, at_port(6379))
