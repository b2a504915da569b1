"""GELF 1.1: fields, compression, chunks."""

import gzip
import json
import zlib
from contextlib import suppress
from datetime import UTC
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.posted.gelf import MAX_MESSAGE_BYTES, read_gelf, unpack
from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.wire.gelf_chunks import MAX_HELD_BYTES, Reassembly
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.instants import format_instant

NOW = 1_768_528_800_000_000  # 2026-01-16T02:00:00Z


def source(format: str = "auto") -> Source:
    return Source("gelf_udp", "gelf_udp:test", format, Reference(NOW, UTC), {"sakimori.input": "gelf_udp"})


def read(message: object, format: str = "auto") -> list[Event]:
    return read_gelf(source(format), json.dumps(message).encode(), 7)


def rejection(raw: bytes) -> str:
    with pytest.raises(LineRejected) as caught:
        read_gelf(source(), raw, 7)
    return str(caught.value)


def test_fields_become_ecs_and_own_ones_keep_their_name() -> None:
    [event] = read(
        {
            "version": "1.1",
            "host": "web-1.example.org",
            "short_message": "A short message that helps",
            "full_message": "Backtrace here",
            "timestamp": 1768528790.3072,
            "level": 3,
            "facility": "payment",
            "line": 42,
            "file": "pay.py",
            "_user_id": 9001,
            "_some info": "foo",
            "_nested": {"a": [1]},
            "_id": "not allowed",
            "ignored": "no underscore",
        }
    )
    assert (event.dataset, format_instant(event.time)) == ("gelf.log", "2026-01-16T01:59:50.307200Z")
    assert event.fields == {
        "event.category": "host",
        "host.hostname": "web-1.example.org",
        "message": "A short message that helps",
        "gelf.full_message": "Backtrace here",
        "log.level": "error",
        "log.syslog.severity.code": 3,
        "log.syslog.facility.name": "payment",
        "log.origin.file.name": "pay.py",
        "log.origin.file.line": 42,
        "gelf.user_id": 9001,
        "gelf.some_info": "foo",
        "gelf.nested": '{"a":[1]}',
        "sakimori.input": "gelf_udp",
    }


def test_a_message_that_is_a_log_line_is_read_as_one() -> None:
    line = '203.0.113.9 - - [16/Jan/2026:01:59:58 +0000] "GET /login HTTP/1.1" 401 12 "-" "curl/8"'
    [event] = read({"version": "1.1", "host": "docker-1", "short_message": line, "_container_name": "web"})
    assert event.dataset in ("nginx.access", "apache.access")
    assert event.get("url.path") == "/login"
    assert event.get("host.hostname") == "docker-1"
    assert event.get("gelf.container_name") == "web"


def test_without_a_time_it_is_now_and_the_same_message_has_the_same_id() -> None:
    [first] = read({"host": "a", "short_message": "b"})
    [again] = read({"host": "a", "short_message": "b"})
    assert first.time == NOW
    assert first.id == again.id


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\x00{}", "not JSON"),
        (b"[]", "a JSON object is expected, not list"),
        (b'{"short_message": "x"}', "GELF: host is missing"),
        (b'{"host": "x"}', "GELF: short_message is missing"),
        (b'{"host": "x", "short_message": ""}', "GELF: short_message is missing"),
        (b'{"host": "x", "short_message": 5}', "GELF: short_message is missing"),
        (b'{"host": "x", "short_message": "y", "timestamp": "soon"}', "timestamp is no time in seconds"),
        (b'{"host": "x", "short_message": "y", "timestamp": -1}', "timestamp is no time in seconds"),
        (b'{"host": "x", "short_message": "y", "timestamp": true}', "timestamp is no time in seconds"),
        (b'{"host": "x", "short_message": "y", "timestamp": 1e300}', "timestamp is no time in seconds"),
        (b'{"host": "x", "short_message": "y", "timestamp": "nan"}', "timestamp is no time in seconds"),
        (b'{"host": "x", "short_message": "y", "timestamp": 4102444800}', "over a day ahead"),
        (b'{"host": "x", "short_message": "y", "_a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deep"),
        (b'{"host": "x", "short_message": "' + b"y" * MAX_MESSAGE_BYTES + b'"}', "over 1048576"),
    ],
)
def test_what_is_no_gelf_is_rejected_with_the_reason(raw: bytes, reason: str) -> None:
    assert reason in rejection(raw)


def test_whatever_fields_hold_the_event_can_be_written() -> None:
    message = {"host": "h\0", "short_message": "s", "_big": 10**30, "_small": -(10**30), "_none": None}
    many = {f"_f{number}": number for number in range(1000)}
    [event] = read({**message, **many, "full_message": "x" * 200_000, "level": 99})
    assert EVENTS.decode(EVENTS.encode([event])) == [event]
    assert len(event.fields) < 256
    assert event.get("gelf.big") == "1" + "0" * 30
    assert len(str(event.get("gelf.full_message"))) == 65_536


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_rejection(raw: bytes) -> None:
    for attempt in (unpack, lambda data: read_gelf(source(), data, 1), lambda data: Reassembly().add("p", data, 0.0)):
        with suppress(LineRejected):
            attempt(raw)


@given(st.binary(max_size=2000))
def test_compressed_is_decompressed(raw: bytes) -> None:
    assert unpack(gzip.compress(raw)) == raw
    assert unpack(zlib.compress(raw)) == raw


def test_what_is_not_compressed_stays_as_it_is() -> None:
    assert unpack(b'{"host": "x"}') == b'{"host": "x"}'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(b"\0" * 50_000_000), "over 1048576 bytes decompressed"),
        (zlib.compress(b"\0" * 50_000_000), "over 1048576 bytes decompressed"),
        (gzip.compress(b"{}" * 1000)[:-12], "ends early"),
        (b"\x1f\x8b\x08garbage that is no gzip", "not gzip"),
        (b"\x78\x9cgarbage that is no zlib", "not zlib"),
    ],
)
def test_bombs_and_broken_compression_are_rejected(data: bytes, reason: str) -> None:
    with pytest.raises(LineRejected, match=reason):
        unpack(data)


def chunk(number: int, count: int, data: bytes, identity: bytes = b"8 bytes!") -> bytes:
    return b"\x1e\x0f" + identity + bytes([number, count]) + data


def test_chunks_are_joined_in_whatever_order_and_however_often() -> None:
    chunks = Reassembly()
    given = [chunk(2, 3, b"c"), chunk(0, 3, b"a"), chunk(2, 3, b"C"), chunk(0, 3, b"A"), chunk(1, 3, b"b")]
    assert [chunks.add("192.0.2.1", each, 0.0) for each in given] == [None, None, None, None, b"abc"]
    assert chunks.add("192.0.2.1", chunk(1, 3, b"b"), 0.1) is None
    assert chunks.expired(100.0) == []


@given(st.binary(min_size=1, max_size=500), st.randoms())
def test_any_message_survives_being_cut(message: bytes, random: Random) -> None:
    pieces = [message[at : at + 5] for at in range(0, len(message), 5)]
    given = [chunk(number, len(pieces), piece) for number, piece in enumerate(pieces)]
    random.shuffle(given)
    chunks = Reassembly()
    assert [whole for each in given if (whole := chunks.add("p", each, 0.0)) is not None] == [message]
    assert chunks.expired(100.0) == []


def test_peers_do_not_write_into_each_others_messages() -> None:
    chunks = Reassembly()
    assert chunks.add("192.0.2.1", chunk(0, 2, b"a"), 0.0) is None
    assert chunks.add("192.0.2.2", chunk(1, 2, b"x"), 0.0) is None
    assert chunks.add("192.0.2.1", chunk(1, 2, b"b"), 0.0) == b"ab"


@pytest.mark.parametrize("datagram", [chunk(0, 1, b""), chunk(3, 3, b"x"), chunk(0, 0, b"x"), chunk(1, 129, b"x")])
def test_what_is_no_chunk_is_rejected(datagram: bytes) -> None:
    with pytest.raises(LineRejected, match="chunk"):
        Reassembly().add("192.0.2.1", datagram, 0.0)


def test_chunks_that_contradict_each_other_are_given_up() -> None:
    chunks = Reassembly()
    chunks.add("192.0.2.1", chunk(0, 3, b"a"), 0.0)
    with pytest.raises(LineRejected, match="3 and 2"):
        chunks.add("192.0.2.1", chunk(1, 2, b"b"), 0.0)


def test_after_five_seconds_what_is_not_whole_is_given_up() -> None:
    chunks = Reassembly()
    chunks.add("192.0.2.1", chunk(1, 3, b"b"), 0.0)
    chunks.add("192.0.2.1", chunk(0, 3, b"a"), 4.0)
    assert chunks.expired(4.9) == []
    [lost] = chunks.expired(5.0)
    assert (lost.peer, lost.count, lost.joined()) == ("192.0.2.1", 3, b"ab")


def test_messages_that_never_end_are_held_within_a_bound() -> None:
    chunks = Reassembly()
    lost = 0
    for number in range(5000):
        chunks.add("192.0.2.1", chunk(0, 2, b"x" * 60_000, number.to_bytes(8, "big")), 0.0)
        lost += len(chunks.crowded_out())
    held = 5000 - lost
    assert held * 60_012 <= MAX_HELD_BYTES
    assert held > 200
