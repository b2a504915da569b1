"""Documents of log shippers: one JSON object a log line, with the line itself or what the shipper made of it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from sakimori_collector.domain.datasets import OWN_DATASETS
from sakimori_collector.domain.formats import AUTO, FORMATS, LineRejected
from sakimori_collector.domain.posted.ndjson import MAX_LINE_BYTES
from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.text import cut, storable, without_nul
from sakimori_collector.domain.times import DAY
from sakimori_common.contracts import Event, EventError, FieldValue
from sakimori_common.contracts.event import MAX_FIELDS, MAX_ID_CHARACTERS, MAX_VALUE_CHARACTERS
from sakimori_common.ids import event_id
from sakimori_common.instants import EARLIEST, LATEST, format_instant, parse_instant

_TEXTS: Final = ("message", "log", "MESSAGE", "event.original")
"""Where shippers put a raw line: Beats, Vector and Logstash; Fluent Bit's tail of containers; journald."""
_TIMES: Final = ("@timestamp", "timestamp", "time", "timereported", "date")
_TAGS: Final = ("SYSLOG_IDENTIFIER", "ident", "appname", "programname", "syslog_identifier", "syslogtag")
"""The program, where a shipper took a syslog header off: journald, Fluent Bit, Vector, rsyslog, Logstash."""
_PIDS: Final = ("_PID", "SYSLOG_PID", "pid", "procid")
_HOSTS: Final = ("host.hostname", "host.name", "_HOSTNAME", "hostname", "host", "fromhost")
_FILES: Final = ("log.file.path", "file", "filename", "_source_path")
_INODES: Final = ("log.file.device_id", "log.file.inode", "log.file.idxhi", "log.file.idxlo", "log.file.vol")
_PARSED: Final = frozenset(
    {"event.category", "event.action", "event.outcome", "source.ip", "source.address", "url.path"}
)
"""Who fills one of these has parsed the line: it is an event, whatever its message looks like."""
_SAID_OTHERWISE: Final = ({*_TIMES, *_TAGS, *_PIDS, *_HOSTS, "event.id"} - {"host.name"}) | {"event.dataset"}
"""What the line, or a field under another name, says of an event that was a raw line."""
_SYSLOG: Final = "linux.syslog"
_JSON: Final = "json"
MAX_DATASET_CHARACTERS: Final = 128

_decoder: Final = msgspec.json.Decoder()

Document = Mapping[str, Any]
Fields = dict[str, FieldValue]
_MAX_DEPTH: Final = 16


def read_document(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read a document as it came. Raises LineRejected."""
    document = decoded(raw)
    return events_of(source, document, flattened(document), (raw, place))


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


def events_of(source: Source, document: Document, fields: Fields, standing: tuple[bytes, int]) -> list[Event]:
    """Make events of a document, of which `fields` are all, and which stands somewhere. Raises LineRejected.

    A raw line in it is read by the format that its dataset names, else the source's; what the shipper knew beside it
    (host, file, container, labels) is kept where the line does not say it. A document that was parsed before, or whose
    line nobody here knows and that names a dataset, is an event as it is. Any other is read as JSON.
    """
    dataset = _dataset(source, fields)
    if dataset.startswith(OWN_DATASETS):
        raise LineRejected(f"{dataset[:64]}: only the service itself reports this dataset")
    if b"\\u0000" in standing[0]:
        fields = {without_nul(name): storable(value) for name, value in fields.items()}
    text = None if not _PARSED.isdisjoint(fields) else _first_text(fields, _TEXTS)
    if text:
        try:
            return _read_text(source, fields, text.rstrip("\r\n"), dataset, standing)
        except LineRejected:
            is_nothing_else = len(document) == 1 or source.format != AUTO
            if dataset in FORMATS or (not dataset and is_nothing_else):
                raise
    if dataset:
        return [_as_event(source, fields, dataset, standing)]
    return source.read_text(msgspec.json.encode(document).decode(), *standing, _JSON, _first_text(fields, _FILES))


def _read_text(source: Source, fields: Fields, text: str, dataset: str, standing: tuple[bytes, int]) -> list[Event]:
    chosen = dataset if dataset in FORMATS else source.format
    header = _syslog_header(fields, source) if chosen in (AUTO, _SYSLOG) else ""
    path = _first_text(fields, _FILES)
    events = source.read_text(header + text, *standing, _SYSLOG if header else chosen, path)
    identity = _given_identity(source, fields) or _place_in_file(source, fields, text)
    host = _first_text(fields, _HOSTS)
    known = {name: fields[name] for name in fields.keys() - _SAID_OTHERWISE if fields[name] != text}
    if host:
        known["host.hostname"] = host
    return [
        Event(
            event.id if identity is None else event_id(event.time, f"{identity}{number}"),
            event.time,
            event.dataset,
            _bounded(known | event.fields, event.fields),
        )
        for number, event in enumerate(events)
    ]


def _bounded(fields: Fields, most_important: Fields) -> Fields:
    if len(fields) <= MAX_FIELDS:
        return fields
    others = [name for name in fields if name not in most_important][: MAX_FIELDS - len(most_important)]
    return {name: fields[name] for name in others} | most_important


def _as_event(source: Source, fields: Fields, dataset: str, standing: tuple[bytes, int]) -> Event:
    time = _time(fields)
    if time is None:
        time = source.reference.now
    if time > source.reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(time)}")
    given = fields.pop("event.id", None)
    identity: tuple[str | bytes, ...] = (source.identity, str(standing[1]), standing[0])
    if isinstance(given, str) and 0 < len(given) <= MAX_ID_CHARACTERS:
        identity = ("given", source.name, dataset, given)
    fields.pop("@timestamp", None)
    fields.pop("event.dataset", None)
    if host := _first_text(fields, _HOSTS):
        fields.setdefault("host.hostname", host)
    fields.update(source.stamp)
    return Event(event_id(time, *identity), time, dataset, fields)


def flattened(document: Document) -> Fields:
    """Flatten nested objects with dots. Raises LineRejected for what no event can hold."""
    fields: Fields = {}
    try:
        _flatten("", document, fields, 0)
    except EventError as error:
        raise LineRejected(str(error)) from None
    return fields


def _flatten(prefix: str, document: Document, into: Fields, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise EventError(f"{prefix[:256]}: nested deeper than {_MAX_DEPTH} objects")
    for key, value in document.items():
        name = prefix + key
        kind = type(value)
        if kind is dict:
            _flatten(name + ".", value, into, depth + 1)
        elif kind is str and len(value) > MAX_VALUE_CHARACTERS:
            into[name] = cut(value)
        elif kind is list:
            into[name] = [_scalar(item) for item in value[:MAX_FIELDS]]
        else:
            into[name] = value if kind is not int else _integer(value)
    if len(into) > MAX_FIELDS:
        raise EventError(f"over {MAX_FIELDS} fields")


def _scalar(value: Any) -> str | int | float | bool | None:
    """Keep what a list may hold; what is nested in one (Kubernetes' owners and the like) stays as its JSON."""
    if isinstance(value, dict | list):
        value = msgspec.json.encode(value).decode()
    if isinstance(value, int):
        return _integer(value)
    return str(cut(value)) if isinstance(value, str) else value


def _integer(value: int) -> int | float:
    """Keep 64 bits, as the bus does."""
    return value if -(1 << 63) <= value < 1 << 64 else float(value)


def _dataset(source: Source, fields: Fields) -> str:
    """Find what the document says it is: `generic` is what Elastic's agents say when they do not know."""
    for name in ("event.dataset", "data_stream.dataset"):
        value = fields.get(name)
        if isinstance(value, str) and 0 < len(value) <= MAX_DATASET_CHARACTERS and value != "generic":
            return value
    value = source.stamp.get("data_stream.dataset")
    return value if isinstance(value, str) else ""


def _syslog_header(fields: Fields, source: Source) -> str:
    """Write the header anew that a shipper took off, empty where there was none."""
    tag = _first_text(fields, _TAGS).partition("[")[0].rstrip(":").strip()
    if not tag or any(letter.isspace() for letter in tag):
        return ""
    time = _time(fields)
    host = _first_text(fields, _HOSTS).partition(" ")[0] or "-"
    pid = next((str(fields[name]) for name in _PIDS if str(fields.get(name, "")).isdecimal()), "")
    written = format_instant(source.reference.now if time is None else time)
    return f"{written} {host} {tag}{f'[{pid}]' if pid else ''}: "


def _given_identity(source: Source, fields: Fields) -> str | None:
    """Take the shipper's own id of a line: however it batches what it sends again, it is that line."""
    given = fields.get("event.id")
    if not isinstance(given, str) or not 0 < len(given) <= MAX_ID_CHARACTERS:
        return None
    return repr(("given", source.name, given))


def _place_in_file(source: Source, fields: Fields, text: str) -> str | None:
    """Say where in which file of which host a line stands, where Beats tell: however they batch it, it is that line."""
    offset, path = fields.get("log.offset"), fields.get("log.file.path")
    agent = fields.get("agent.id") or fields.get("host.name")
    if type(offset) is not int or not isinstance(path, str) or not isinstance(agent, str):
        return None
    return repr(("shipped", source.name, agent, path, offset, text, *map(fields.get, _INODES)))


def _time(fields: Fields) -> int | None:
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


def _first_text(fields: Fields, names: Iterable[str]) -> str:
    for name in names:
        value = fields.get(name)
        if value and type(value) is str:
            return value
    return ""
