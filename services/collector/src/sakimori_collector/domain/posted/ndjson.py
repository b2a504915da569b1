"""What agents post: NDJSON, each line an event, or a raw log line with the name of its format."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import msgspec

from sakimori_collector.domain.datasets import OWN_DATASETS
from sakimori_collector.domain.formats import LineRejected
from sakimori_collector.domain.reading import Source, UnknownFormat, check_format
from sakimori_collector.domain.text import storable, without_nul
from sakimori_collector.domain.times import DAY
from sakimori_common.contracts import Event, EventError, FieldValue
from sakimori_common.contracts.event import decode_flat, flatten, pop_envelope
from sakimori_common.ids import PlacedEventIds
from sakimori_common.instants import format_instant

MAX_LINE_BYTES = 1 << 20
"""Of one posted line: what it becomes must fit into one message of the bus."""
_CARRIED = ("host.hostname", "log.file.path", "log.offset")

_Lookup = Callable[[str], Any]
_decoder = msgspec.json.Decoder()


def read_posted(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read the posted line that stands at `place`; the source's format is for messages that name none.

    An object with a `message` is a raw log line if it names its `format` or has no `@timestamp`, else it is an event.
    Raises LineRejected.
    """
    if len(raw) > MAX_LINE_BYTES:
        raise LineRejected(f"{len(raw)} bytes in one line, over {MAX_LINE_BYTES}")
    try:
        flat = decode_flat(raw)
        posted = flat if flat is not None else _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineRejected(f"not JSON: {error}") from None
    except RecursionError:
        raise LineRejected("not JSON: nested too deep") from None
    if not isinstance(posted, dict):
        raise LineRejected(f"a JSON object is expected, not {type(posted).__name__}")
    message = posted.get("message")
    if isinstance(message, str) and ("format" in posted or "@timestamp" not in posted):
        lookup = posted.get if flat is not None else partial(_lookup, posted)
        return _read_message(without_nul(message.rstrip("\r\n")), lookup, raw, place, source)
    try:
        fields = flat if flat is not None else flatten(posted)
        if b"\\" in raw and b"\\u0000" in raw:  # JSON has no other way to write NUL
            fields = {without_nul(name): storable(value) for name, value in fields.items()}
        return [_read_event(fields, place, source)]
    except EventError as error:
        raise LineRejected(str(error)) from None


def _read_message(text: str, lookup: _Lookup, raw: bytes, place: int, source: Source) -> list[Event]:
    claimed = lookup("format") or lookup("event.dataset") or source.format
    path = lookup("log.file.path")
    try:
        dataset = check_format(str(claimed))
    except UnknownFormat as error:
        raise LineRejected(str(error)) from None
    events = source.read_text(text, raw, place, dataset, path if isinstance(path, str) else "")
    for name in _CARRIED:
        value = lookup(name)
        if isinstance(value, str | int):
            for event in events:
                event.fields.setdefault(name, storable(value))
    return events


def _read_event(fields: dict[str, FieldValue], place: int, source: Source) -> Event:
    time, dataset, given = pop_envelope(fields)
    if time > source.reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(time)}")
    if dataset.startswith(OWN_DATASETS):
        raise LineRejected(f"{dataset[:64]}: only the service itself reports this dataset")
    if given:
        # An id of the client's own choice could take that of an event to come, which would be dropped as a repeat.
        identity = _given_ids(source.name).at(time, len(dataset), 0, (dataset + given).encode())
    else:
        identity = source.ids.at(time, place, 0, b"")
    fields.update(source.stamp)
    return Event(identity, time, dataset, fields)


@lru_cache(maxsize=1024)
def _given_ids(source: str) -> PlacedEventIds:
    return PlacedEventIds("given", source)


def _lookup(posted: Mapping[str, Any], name: str) -> Any:
    """Read a field that is written flat (`event.dataset`) or nested (`event: {dataset: ...}`)."""
    if name in posted:
        return posted[name]
    first, _, others = name.partition(".")
    value = posted.get(first)
    if value is None:
        return None
    for part in others.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
