"""What agents post: NDJSON, each line an event, or a raw log line with the name of its format."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sakimori_collector.domain.formats import LineRejected
from sakimori_collector.domain.reading import Source, UnknownFormat, check_format
from sakimori_collector.domain.text import storable, without_nul
from sakimori_collector.domain.times import DAY
from sakimori_common.contracts import Event, EventError
from sakimori_common.ids import event_id
from sakimori_common.instants import format_instant

MAX_LINE_BYTES = 1 << 20
"""Of one posted line: what it becomes must fit into one message of the bus."""
OWN_DATASETS = ("chat.", "collector.", "gateway.", "sakimori.")
"""Only the services themselves know these: who holds the ingest token must not put words into their mouths."""
_CARRIED = ("host.hostname", "log.file.path", "log.offset")

_decoder = msgspec.json.Decoder()


def read_posted(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read the posted line that stands at `place`; the source's format is for messages that name none.

    An object with a `message` is a raw log line if it names its `format` or has no `@timestamp`, else it is an event.
    Raises LineRejected.
    """
    if len(raw) > MAX_LINE_BYTES:
        raise LineRejected(f"{len(raw)} bytes in one line, over {MAX_LINE_BYTES}")
    try:
        posted = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineRejected(f"not JSON: {error}") from None
    except RecursionError:
        raise LineRejected("not JSON: nested too deep") from None
    if not isinstance(posted, dict):
        raise LineRejected(f"a JSON object is expected, not {type(posted).__name__}")
    message = posted.get("message")
    if isinstance(message, str) and ("format" in posted or "@timestamp" not in posted):
        return _read_message(without_nul(message.rstrip("\r\n")), posted, raw, place, source)
    return [_read_event(posted, place, source)]


def _read_message(text: str, posted: Mapping[str, Any], raw: bytes, place: int, source: Source) -> list[Event]:
    claimed = posted.get("format") or _lookup(posted, "event.dataset") or source.format
    path = _lookup(posted, "log.file.path")
    try:
        dataset = check_format(str(claimed))
    except UnknownFormat as error:
        raise LineRejected(str(error)) from None
    events = source.read_text(text, raw, place, dataset, path if isinstance(path, str) else "")
    for name in _CARRIED:
        value = _lookup(posted, name)
        if isinstance(value, str | int):
            for event in events:
                event.fields.setdefault(name, storable(value))
    return events


def _read_event(posted: Mapping[str, Any], place: int, source: Source) -> Event:
    try:
        event = Event.from_flat(posted)
    except EventError as error:
        raise LineRejected(str(error)) from None
    if event.time > source.reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(event.time)}")
    if event.dataset.startswith(OWN_DATASETS):
        raise LineRejected(f"{event.dataset[:64]}: only the service itself reports this dataset")
    dataset = without_nul(event.dataset)
    given = _lookup(posted, "event.id")
    # An id of the client's own choice could take that of an event to come, which would then be dropped as a repeat.
    identity = ("given", source.name, dataset, given) if isinstance(given, str) else (source.identity, str(place))
    fields = {without_nul(name): storable(value) for name, value in event.fields.items()}
    fields.update(source.stamp)
    return Event(event_id(event.time, *identity), event.time, dataset, fields)


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
