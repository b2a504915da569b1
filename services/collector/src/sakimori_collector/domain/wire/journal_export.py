"""systemd's Journal Export Format, as it streams (https://systemd.io/JOURNAL_EXPORT_FORMATS/).

An entry is lines `NAME=value`, or, where the value is not plain text, `NAME`, a newline, 64 bits of length (little
endian), the bytes and a newline; an empty line ends it.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from sakimori_collector.domain.text import decode

MAX_ENTRY_BYTES: Final = 1 << 20
"""Of an entry that is held; the journal may hold core dumps."""
_KEPT_BYTES: Final = 64 * 1024
_LENGTH_BYTES: Final = 8
_MAX_VALUE_BYTES: Final = 1 << 40
_MAX_FIELDS: Final = 1024
"""As systemd-journal-remote has it (ENTRY_FIELD_COUNT_MAX)."""


class BadExport(ValueError):
    """This is no export of a journal; what follows cannot be read either."""


class Entry(NamedTuple):
    """An entry as it came, and its length in bytes: larger where the bytes were cut."""

    raw: bytes
    length: int


class ExportSplitter:
    """Splits a stream into entries, whatever pieces it comes in; holds one entry at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._entry = bytearray()
        self._length = 0
        self._pending = 0
        """Bytes of a binary value that are still to come, with its newline."""

    def feed(self, piece: bytes) -> list[Entry]:
        """Take a piece, give the entries that end in it. Raises BadExport."""
        self._buffer += piece
        return list(self._split())

    def end(self) -> list[Entry]:
        """Give the last entry, which needs no empty line after it; half a line is no part of one."""
        return [] if self._pending or self._buffer or not self._length else [self._whole()]

    def _split(self) -> Iterator[Entry]:
        while self._buffer:
            if self._pending:
                size = min(self._pending, len(self._buffer))
                self._pending -= size
                self._move(size)
                continue
            end = self._buffer.find(b"\n")
            if end < 0:
                self._bound()
                return
            if end == 0:
                del self._buffer[:1]
                if self._length:
                    yield self._whole()
                continue
            whole = self._field_end(end)
            if whole is None:
                return
            self._move(whole)

    def _field_end(self, end: int) -> int | None:
        """Tell how many bytes of the field can be moved; None when its length is not there yet."""
        if b"=" in self._buffer[:end]:
            return end + 1
        if len(self._buffer) < end + 1 + _LENGTH_BYTES:
            return None
        size = int.from_bytes(self._buffer[end + 1 : end + 1 + _LENGTH_BYTES], "little")
        if size > _MAX_VALUE_BYTES:
            raise BadExport(f"a value of {size} bytes")
        self._pending = size + 1
        return end + 1 + _LENGTH_BYTES

    def _bound(self) -> None:
        if len(self._buffer) > MAX_ENTRY_BYTES:
            raise BadExport(f"a line of over {MAX_ENTRY_BYTES} bytes")

    def _move(self, size: int) -> None:
        self._length += size
        if self._length <= MAX_ENTRY_BYTES:
            self._entry += self._buffer[:size]
        elif len(self._entry) < _KEPT_BYTES:
            self._entry += self._buffer[: min(size, _KEPT_BYTES - len(self._entry))]
        else:
            del self._entry[_KEPT_BYTES:]
        del self._buffer[:size]

    def _whole(self) -> Entry:
        entry = Entry(bytes(self._entry), self._length)
        self._entry, self._length = bytearray(), 0
        return entry


def fields_of(entry: bytes) -> dict[str, list[bytes]]:
    """Read the fields of an entry; one may stand there several times. Raises BadExport."""
    fields: dict[str, list[bytes]] = {}
    at, count = 0, 0
    while at < len(entry):
        end = entry.find(b"\n", at)
        line = entry[at:] if end < 0 else entry[at:end]
        name, mark, value = line.partition(b"=")
        at = len(entry) if end < 0 else end + 1
        if not mark:
            size = int.from_bytes(entry[at : at + _LENGTH_BYTES], "little")
            value = entry[at + _LENGTH_BYTES : at + _LENGTH_BYTES + size]
            at += _LENGTH_BYTES + size + 1
        count += 1
        if count > _MAX_FIELDS:
            raise BadExport(f"over {_MAX_FIELDS} fields")
        fields.setdefault(decode(name)[:64], []).append(value)
    return fields


def as_json(entry: bytes) -> bytes:
    """Write an entry as `journalctl -o json` does, which is what the format `journald` reads. Raises BadExport."""
    fields = {name: [_value(value) for value in values] for name, values in fields_of(entry).items()}
    return msgspec.json.encode({name: values[0] if len(values) == 1 else values for name, values in fields.items()})


def cursor_of(entry: bytes) -> str:
    """Find where the entry stands in its journal; empty where it does not say."""
    begin = entry.find(b"__CURSOR=")
    if begin < 0 or (begin and entry[begin - 1 : begin] != b"\n"):
        return ""
    return decode(entry[begin + len(b"__CURSOR=") :].partition(b"\n")[0])[:1024]


def _value(value: bytes) -> str | list[int]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return list(value)
