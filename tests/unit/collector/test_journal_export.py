"""systemd's Journal Export Format, in whatever pieces it comes."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_collector.domain.wire.journal_export import (
    MAX_ENTRY_BYTES,
    BadExport,
    Entry,
    ExportSplitter,
    as_json,
    cursor_of,
)

PLAIN = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1768528800000000\nMESSAGE=hello\n"
BINARY = b"__CURSOR=s=1;i=3\nMESSAGE\n" + struct.pack("<Q", 11) + b"two\nlines\xff\n" + b"\nPRIORITY=6\n"


def split(stream: bytes, size: int) -> list[Entry]:
    splitter = ExportSplitter()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    return [entry for piece in pieces for entry in splitter.feed(piece)] + splitter.end()


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_entries_are_the_same_whatever_the_pieces(size: int) -> None:
    assert split(PLAIN + b"\n" + BINARY + b"\n\n" + PLAIN, size) == [
        Entry(PLAIN, len(PLAIN)),
        Entry(BINARY, len(BINARY)),
        Entry(PLAIN, len(PLAIN)),
    ]


def test_an_entry_becomes_what_journalctl_writes_as_json() -> None:
    assert json.loads(as_json(PLAIN)) == {
        "__CURSOR": "s=1;i=2",
        "__REALTIME_TIMESTAMP": "1768528800000000",
        "MESSAGE": "hello",
    }
    read = json.loads(as_json(BINARY + b"TAG=a\nTAG=b\n"))
    assert bytes(read["MESSAGE"]) == b"two\nlines\xff\n"
    assert read["TAG"] == ["a", "b"]
    assert cursor_of(BINARY) == "s=1;i=3"


def test_half_a_line_at_the_end_is_no_entry() -> None:
    assert split(PLAIN + b"PRIORI", 10) == []
    assert split(BINARY[:-30], 10) == []


def test_an_entry_too_long_to_hold_is_cut_and_the_next_is_read() -> None:
    core_dump = b"COREDUMP\n" + struct.pack("<Q", 5_000_000) + b"\0" * 5_000_000 + b"\n"
    [long, next_] = split(PLAIN + core_dump + b"\n" + BINARY, 65_536)
    assert long.length == len(PLAIN) + len(core_dump)
    assert len(long.raw) <= MAX_ENTRY_BYTES
    assert long.raw.startswith(PLAIN)
    assert next_.raw == BINARY


@pytest.mark.parametrize("stream", [b"x" * (MAX_ENTRY_BYTES + 1), b"X\n" + b"\xff" * 8])
def test_what_is_no_export_is_refused_within_its_bounds(stream: bytes) -> None:
    with pytest.raises(BadExport):
        ExportSplitter().feed(stream)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_raise_anything_else(pieces: list[bytes]) -> None:
    splitter = ExportSplitter()
    try:
        entries = [entry for piece in pieces for entry in splitter.feed(piece)] + splitter.end()
    except BadExport:
        return
    for entry in entries:
        json.loads(as_json(entry.raw))


VALUES = st.binary(max_size=30)


@given(st.lists(st.lists(VALUES, min_size=1, max_size=5), max_size=5), st.integers(1, 50))
def test_binary_values_come_out_as_they_went_in(entries: list[list[bytes]], size: int) -> None:
    stream = b"".join(
        b"".join(b"F\n" + struct.pack("<Q", len(value)) + value + b"\n" for value in values) + b"\n"
        for values in entries
    )
    found = [json.loads(as_json(entry.raw))["F"] for entry in split(stream, size)]
    expected = [[value.decode() if is_text(value) else list(value) for value in values] for values in entries]
    assert found == [values[0] if len(values) == 1 else values for values in expected]


def is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
