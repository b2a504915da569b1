"""Documents of log shippers: one JSON object a log line, with the line itself or what the shipper made of it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sakimori_collector.domain.formats import AUTO, FORMATS, LineRejected
from sakimori_collector.domain.ndjson import MAX_LINE_BYTES, OWN_DATASETS
from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.text import storable, without_nul
from sakimori_collector.domain.times import DAY
from sakimori_common.contracts import Event, EventError, FieldValue
from sakimori_common.contracts.event import MAX_FIELDS, MAX_ID_CHARACTERS
from sakimori_common.ids import event_id
from sakimori_common.instants import EARLIEST, LATEST, format_instant, parse_instant

_TEXTS: Final = ("message", "log", "MESSAGE", "event.original")
"""Where shippers put a raw line: Beats, Vector and Logstash; Fluent Bit's tail of containers; journald."""
_TIMES: Final = ("@timestamp", "timestamp", "time", "timereported", "date")
_TAGS: Final = ("SYSLOG_IDENTIFIER", "ident", "appname", "programname", "syslog_identifier", "syslogtag")
"""The program, where a shipper took a syslog header off: journald, Fluent Bit, Vector, rsyslog, Logstash."""
_PIDS: Final = ("_PID", "SYSLOG_PID", "pid", "procid")
_HOSTS: Final = ("host.hostname", "host.name", "_HOSTNAME", "hostname", "host", "fromhost")
_PARSED: Final = ("event.category", "event.action", "event.outcome", "source.ip", "source.address", "url.path")
"""Who fills one of these has parsed the line: it is an event, whatever its message looks like."""
_SAID_OTHERWISE: Final = frozenset({*_TIMES, *_TAGS, *_PIDS, *_HOSTS, "event.id"} - {"host.name"})
"""What the line or a field of its own says of an event that was a raw line."""
_ENVELOPE: Final = {"@timestamp": "1970-01-01T00:00:00Z", "event.dataset": "-"}
_SYSLOG: Final = "linux.syslog"
_JSON: Final = "json"
MAX_DATASET_CHARACTERS: Final = 128

_decoder: Final = msgspec.json.Decoder()

Document = Mapping[str, Any]


def read_document(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read a document as it came. Raises LineRejected."""
    return events_of(source, decoded(raw), raw, place)


def decoded(raw: bytes) -> dict[str, Any]:
    """Decode a JSON object within its bounds. Raises LineRejected."""
    if len(raw) > MAX_LINE_BYTES:
        raise LineRejected(f"{len(raw)} bytes in one document, over {MAX_LINE_BYTES}")
    try:
        document = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineRejected(f"not JSON: {error}") from None
    except RecursionError:
        raise LineRejected("not JSON: nested too deep") from None
    if not isinstance(document, dict):
        raise LineRejected(f"a JSON object is expected, not {type(document).__name__}")
    return document


def events_of(source: Source, document: Document, raw: bytes, place: int) -> list[Event]:
    """Make events of a document. Raises LineRejected.

    A raw line in it is read by the format that its dataset names, else the source's; what the shipper knew beside it
    (host, file, container, labels) is kept where the line does not say it. A document that was parsed before, or whose
    line nobody here knows and that names a dataset, is an event as it is. Any other is read as JSON.
    """
    dataset = _dataset(source, document)
    if dataset.startswith(OWN_DATASETS):
        raise LineRejected(f"{dataset[:64]}: only the service itself reports this dataset")
    fields = _flat(document)
    text_name = next((name for name in _TEXTS if isinstance(fields.get(name), str)), None)
    is_parsed = any(name in fields for name in _PARSED)
    if text_name is not None and not is_parsed:
        text = without_nul(str(fields.pop(text_name)).rstrip("\r\n"))
        try:
            return _read_text(source, fields, text, dataset, (raw, place))
        except LineRejected:
            if dataset in FORMATS or (not dataset and source.format != AUTO):
                raise
        fields["message"] = text
    if dataset:
        return [_as_event(source, fields, dataset, raw, place)]
    if _JSON not in FORMATS:
        raise LineRejected("of no known format, and no event.dataset")
    return source.read_text(msgspec.json.encode(document).decode(), raw, place, _JSON, _path(fields))


def _read_text(
    source: Source, fields: dict[str, FieldValue], text: str, dataset: str, standing: tuple[bytes, int]
) -> list[Event]:
    chosen = dataset if dataset in FORMATS else source.format
    header = _syslog_header(fields, source) if chosen in (AUTO, _SYSLOG) else ""
    events = source.read_text(header + text, *standing, _SYSLOG if header else chosen, _path(fields))
    known = {name: storable(value) for name, value in fields.items() if name not in _SAID_OTHERWISE}
    if host := _first_text(fields, _HOSTS):
        known["host.hostname"] = storable(host)
    for event in events:
        for name, value in known.items():
            if len(event.fields) < MAX_FIELDS:
                event.fields.setdefault(name, value)
    identity = _place_in_file(source, fields, text)
    if identity is None:
        return events
    return [
        Event(event_id(event.time, *identity, str(number)), event.time, event.dataset, event.fields)
        for number, event in enumerate(events)
    ]


def _as_event(source: Source, fields: dict[str, FieldValue], dataset: str, raw: bytes, place: int) -> Event:
    time = _time(fields)
    if time is None:
        time = source.reference.now
    if time > source.reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(time)}")
    given = fields.pop("event.id", None)
    identity: tuple[str | bytes, ...] = (source.identity, str(place), raw)
    if isinstance(given, str) and 0 < len(given) <= MAX_ID_CHARACTERS:
        identity = ("given", source.name, dataset, given)
    fields.pop("@timestamp", None)
    kept = {without_nul(name): storable(value) for name, value in fields.items()}
    host = _first_text(fields, _HOSTS)
    if host:
        kept.setdefault("host.hostname", storable(host))
    kept.update(source.stamp)
    return Event(event_id(time, *identity), time, dataset, kept)


def _flat(document: Document) -> dict[str, FieldValue]:
    """Flatten as an event is; `@timestamp` and the id stay among the fields."""
    try:
        fields = Event.from_flat({**document, **_ENVELOPE, "event.id": "-"}).fields
    except EventError as error:
        raise LineRejected(str(error)) from None
    for name in ("@timestamp", "event.id"):
        value = lookup(document, name)
        if isinstance(value, str | int | float):
            fields[name] = value
    return fields


def _dataset(source: Source, document: Document) -> str:
    """Find what the document says it is: `generic` is what Elastic's agents say when they do not know."""
    for name in ("event.dataset", "data_stream.dataset"):
        value = lookup(document, name)
        if isinstance(value, str) and 0 < len(value) <= MAX_DATASET_CHARACTERS and value != "generic":
            return without_nul(value)
    value = source.stamp.get("data_stream.dataset")
    return value if isinstance(value, str) else ""


def _syslog_header(fields: Mapping[str, FieldValue], source: Source) -> str:
    """Write the header anew that a shipper took off, empty where there was none."""
    tag = _first_text(fields, _TAGS).partition("[")[0].rstrip(":").strip()
    if not tag or any(letter.isspace() for letter in tag):
        return ""
    time = _time(fields)
    host = _first_text(fields, _HOSTS).partition(" ")[0] or "-"
    pid = next((str(fields[name]) for name in _PIDS if str(fields.get(name, "")).isdecimal()), "")
    written = format_instant(source.reference.now if time is None else time)
    return f"{written} {host} {tag}{f'[{pid}]' if pid else ''}: "


def _place_in_file(source: Source, fields: Mapping[str, FieldValue], text: str) -> tuple[str, ...] | None:
    """Say where in which file of which host a line stands, where Beats tell: however they batch it, it is that line."""
    offset, path = fields.get("log.offset"), fields.get("log.file.path")
    agent = fields.get("agent.id") or fields.get("host.name")
    if not isinstance(offset, int) or not isinstance(path, str) or not isinstance(agent, str):
        return None
    file = (str(fields.get(f"log.file.{name}", "")) for name in ("device_id", "inode", "idxhi", "idxlo", "vol"))
    return ("shipped", source.name, agent, path, *file, str(offset), text)


def _time(fields: Mapping[str, FieldValue]) -> int | None:
    """Read the first time there is, in microseconds: RFC 3339, or since the epoch in s, ms, us or ns."""
    for name in _TIMES:
        value = fields.get(name)
        try:
            if isinstance(value, str):
                time = parse_instant(value)
            elif isinstance(value, int | float):
                time = epoch_microseconds(value)
            else:
                continue
        except (ValueError, OverflowError):
            continue
        if EARLIEST <= time <= LATEST:
            return time
    return None


def epoch_microseconds(value: float) -> int:
    """Read seconds, milliseconds, microseconds or nanoseconds since the epoch: which, its size tells (1973 to 5138).

    Raises ValueError or OverflowError for what is no number.
    """
    for above, factor in ((1e17, 1e-3), (1e14, 1.0), (1e11, 1e3)):
        if abs(value) >= above:
            return round(value * factor)
    return round(value * 1e6)


def _path(fields: Mapping[str, FieldValue]) -> str:
    return _first_text(fields, ("log.file.path", "file", "filename", "_source_path"))


def _first_text(fields: Mapping[str, FieldValue], names: tuple[str, ...]) -> str:
    return next((value for name in names if isinstance(value := fields.get(name), str) and value), "")


def lookup(document: Document, name: str) -> Any:
    """Read a field that is written flat (`event.dataset`) or nested (`event: {dataset: ...}`)."""
    if name in document:
        return document[name]
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
