"""GELF 1.1, Graylog's own format: a JSON object a message, compressed or not.

https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
"""

import re
import zlib
from typing import Any, Final

import msgspec

from sakimori_collector.domain.format import LineRejected
from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.text import cut, storable
from sakimori_collector.domain.times import DAY
from sakimori_collector.domain.wire.received import Received
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.ids import event_id
from sakimori_common.instants import LATEST, MICROSECONDS, format_instant

DATASET: Final = "gelf.log"
MAX_MESSAGE_BYTES: Final = 1 << 20
"""Of a message, decompressed: 128 chunks hold as much."""
_MAX_FIELDS: Final = 200
_LEVELS: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
"""RFC 5424, 6.2.1, as the log level of other formats here."""
_NAME: Final = re.compile(r"[^\w.-]", re.ASCII)
_GZIP: Final = b"\x1f\x8b"

_decoder = msgspec.json.Decoder()


def unpack(data: bytes) -> bytes:
    """Decompress what is gzip or zlib. Raises LineRejected for what is broken or becomes over 1 MiB."""
    is_gzip = data.startswith(_GZIP)
    is_zlib = len(data) > 1 and data[0] == 0x78 and int.from_bytes(data[:2], "big") % 31 == 0
    if not is_gzip and not is_zlib:
        return data
    inflate = zlib.decompressobj(wbits=31 if is_gzip else 15)
    try:
        text = inflate.decompress(data, MAX_MESSAGE_BYTES + 1)
    except zlib.error as error:
        raise LineRejected(f"not {'gzip' if is_gzip else 'zlib'}: {error}") from None
    if len(text) > MAX_MESSAGE_BYTES:
        raise LineRejected(f"over {MAX_MESSAGE_BYTES} bytes decompressed")
    if not inflate.eof:
        raise LineRejected("compressed data that ends early")
    return text


def read_gelf(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read a message. Raises LineRejected.

    A `short_message` that is a line of a known format is read as such; what GELF says stands beside it.
    """
    if isinstance(source, Received):
        source.check(place)
    message = _decode(raw)
    host, text = message.get("host"), message.get("short_message")
    if not isinstance(host, str) or not host:
        raise LineRejected("GELF: host is missing")
    if not isinstance(text, str) or not text:
        raise LineRejected("GELF: short_message is missing")
    time = _time(message.get("timestamp"), source.reference.now)
    fields = {"host.hostname": str(storable(cut(host))), **_fields(message)}
    events = _inner(source, text, raw, place)
    if not events:
        fields |= {"event.category": "host", "message": storable(cut(text)), **source.stamp}
        events = [Event(event_id(time, source.identity, str(place), raw), time, DATASET, fields)]
    for event in events:
        for name, value in fields.items():
            event.fields.setdefault(name, value)
    if isinstance(source, Received):
        source.mark(events, place)
    return events


def _decode(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_MESSAGE_BYTES:
        raise LineRejected(f"{len(raw)} bytes in one message, over {MAX_MESSAGE_BYTES}")
    try:
        message = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineRejected(f"not JSON: {error}") from None
    except RecursionError:
        raise LineRejected("not JSON: nested too deep") from None
    if not isinstance(message, dict):
        raise LineRejected(f"a JSON object is expected, not {type(message).__name__}")
    return message


def _inner(source: Source, text: str, raw: bytes, place: int) -> list[Event]:
    """The events of a message that is a whole line of its own, as Docker's driver sends them; none for others."""
    try:
        return source.read_text(text, raw, place, source.format, "")
    except LineRejected:
        return []
    finally:
        source.header_of = None


def _time(value: object, now: int) -> int:
    """Seconds since the epoch with decimals; without, the server's own time (as the specification has it)."""
    if value is None:
        return now
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        seconds = None
    if seconds is None or not 0 <= seconds * MICROSECONDS <= LATEST:
        raise LineRejected(f"GELF: timestamp is no time in seconds since 1970: {str(value)[:64]}")
    time = round(seconds * MICROSECONDS)
    if time > now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(time)}")
    return time


def _fields(message: dict[str, Any]) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    level = message.get("level")
    if isinstance(level, int) and 0 <= level < len(_LEVELS):
        fields["log.level"] = _LEVELS[level]
        fields["log.syslog.severity.code"] = int(level)
    full = message.get("full_message")
    if isinstance(full, str) and full and full != message["short_message"]:
        fields["gelf.full_message"] = storable(cut(full))
    for name, ours in _DEPRECATED:
        if isinstance(message.get(name), str | int):
            fields[ours] = _value(message[name])
    own = [name for name in message if name.startswith("_") and name not in ("_", "_id")]
    for name in own[:_MAX_FIELDS]:
        fields["gelf." + _NAME.sub("_", name[1:256])] = _value(message[name])
    return fields


_DEPRECATED: Final = (
    ("facility", "log.syslog.facility.name"),
    ("file", "log.origin.file.name"),
    ("line", "log.origin.file.line"),
)


def _value(value: Any) -> FieldValue:
    if isinstance(value, str):
        return storable(cut(value))
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else str(value)
    return cut(storable(msgspec.json.encode(value).decode()))
