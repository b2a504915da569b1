"""What a body of `POST /ingest` consists of: NDJSON, a JSON array, one JSON object, or plain lines."""

from typing import Final

import msgspec

from sakimori_collector.domain.format import LineRejected
from sakimori_collector.domain.posted.ndjson import MAX_LINE_BYTES
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import Event

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE: Final = msgspec.json.Decoder(msgspec.Raw)

Line = tuple[int, bytes]
"""Its number from 1, and itself."""


def lines_of(body: bytes) -> list[Line]:
    """Split into lines; empty ones are left out."""
    return [(number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line and not line.isspace()]


def records_of(body: bytes) -> list[Line]:
    """Split into JSON texts: the elements of an array, an object that stretches over lines, else the lines.

    What begins as an array and is none is taken as lines, which are then refused one by one.
    """
    start = body[:64].lstrip()[:2]
    if start[:1] == b"[":
        try:
            return [(number, bytes(element)) for number, element in enumerate(_ARRAY.decode(body), start=1)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return lines_of(body)
    if start[:1] == b"{" and b"\n" in body and not body.split(b"\n", 1)[0].rstrip().endswith(b"}"):
        try:
            return [(1, bytes(_WHOLE.decode(body)).strip())]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return lines_of(body)
    return lines_of(body)


def read_plain(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read a plain line of a body. Raises LineRejected."""
    if len(raw) > MAX_LINE_BYTES:
        raise LineRejected(f"{len(raw)} bytes in one line, over {MAX_LINE_BYTES}")
    return source.read(raw.rstrip(b"\r"), place)
