"""Zeek's logs, TSV and JSON (https://docs.zeek.org/en/master/log-formats.html): dataset `zeek.<log>`.

TSV files begin with a header that names the log, its columns and their types; JSON names the log in `_path` where an
agent adds that, else the name of the file does, else the columns show it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sakimori_collector.domain.flat import Fields, put_flat
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.zeek_fields import LOG_OF_COLUMN, LOGS, record_of_columns
from sakimori_collector.domain.json_kind import JsonKind, Object, decode_object
from sakimori_collector.domain.text import unescape
from sakimori_common.contracts import FieldValue
from sakimori_common.contracts.event import MAX_FIELDS

_MAX_HEADER: Final = 16_384
_KEPT: Final = ("#separator", "#set_separator", "#empty_field", "#unset_field", "#path", "#fields", "#types")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FILE: Final = re.compile(r"([a-z][a-z0-9_]*?)(?:[._-]\d[\d:._-]*)?(?:\.(?:log|json|ndjson|gz))+")
"""`conn.log`, `conn.12:00:00-13:00:00.log.gz`."""
_TEXTS: Final = frozenset({"string", "addr", "enum", "subnet"})
_INTEGERS: Final = frozenset({"count", "int", "port"})
_FLOATS: Final = frozenset({"time", "interval", "double"})


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a TSV file says: `separator` of columns, `inner` of the elements of a set."""

    log: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    separator: str = "\t"
    inner: str = ","
    unset: str = "-"
    empty: str = "(empty)"


def learn(line: str, context: str) -> str | None:
    """Collect the lines of a header; `#close` and the like are none of them, and no events either."""
    if line[:1] != "#":
        return None
    word = line.partition("\t")[0].partition(" ")[0]
    if word == "#separator":
        context = ""
    if word not in _KEPT or len(line) + len(context) > _MAX_HEADER:
        return context
    # A part that comes again replaces itself: a log that is rotated in place has a header anew, with other columns.
    earlier = [kept for kept in context.split("\n") if kept and not kept.startswith(word)]
    return "\n".join([*earlier, line])


@lru_cache(maxsize=64)
def header_of(context: str) -> Header:
    """Read a header. Raises LineRejected."""
    lines = context.split("\n")
    separator = next((line[11:] for line in lines if line.startswith("#separator")), "\\x09")
    separator = (
        unescape(separator) if not separator.startswith("\\x") else bytes.fromhex(separator[2:4]).decode("latin-1")
    )
    said = {}
    for line in lines:
        word, _, value = line.partition(separator)
        said[word] = value
    names = tuple(said.get("#fields", "").split(separator))
    types = tuple(said.get("#types", "").split(separator))
    log = said.get("#path", "")
    if len(names) != len(types) or not 1 < len(names) <= MAX_FIELDS or not _NAME.fullmatch(log):
        raise LineRejected("no header of a Zeek log before this line (#path, #fields, #types)")
    rest = (said.get("#set_separator", ","), said.get("#unset_field", "-"), said.get("#empty_field", "(empty)"))
    return Header(log, names, types, separator, *rest)


def parse(line: str, reference: Reference) -> list[Record]:
    """Read a line of either form. Raises LineRejected."""
    if line.lstrip()[:1] == "{":
        return _read(decode_object(line), reference)
    header = header_of(reference.context)
    values = line.split(header.separator, len(header.names))
    if len(values) != len(header.names):
        raise LineRejected(f"{len(values)} columns, the header of {header.log} names {len(header.names)}")
    columns: Fields = {}
    unset = header.unset
    for name, kind, text in zip(header.names, header.types, values, strict=True):
        if text == unset:
            continue
        if kind in _TEXTS and "\\" not in text and text != header.empty:
            columns[name] = text
        else:
            columns[name] = _value(text, kind, header)
    return [record_of_columns(header.log, columns, reference)]


def _value(text: str, kind: str, header: Header) -> FieldValue:
    if kind in _TEXTS:
        return "" if text == header.empty else unescape(text)
    try:
        if kind in _INTEGERS:
            return int(text)
        if kind in _FLOATS:
            return float(text)
    except ValueError:
        raise LineRejected(f"a {kind} is expected, not {text[:64]}") from None
    if kind == "bool":
        return text == "T"
    return _list(text, kind, header) if kind.startswith(("set[", "vector[")) else unescape(text)


def _list(text: str, kind: str, header: Header) -> FieldValue:
    inner = kind.partition("[")[2].removesuffix("]")
    items = [] if text == header.empty else text.split(header.inner)[:MAX_FIELDS]
    if inner in _TEXTS and "\\" not in text:
        return [item for item in items if item != header.unset]
    return [_element(item, inner, header) for item in items if item != header.unset]


def _element(text: str, kind: str, header: Header) -> str | int | float | bool | None:
    value = _value(text, kind, header) if not kind.startswith(("set[", "vector[")) else text
    return value if not isinstance(value, list) else text


def _is_meant(read: Object, path: str) -> bool:
    if "ts" not in read:
        return False
    return (
        isinstance(read.get("_path"), str)
        or "id.orig_h" in read
        or ("uid" in read and "id" in read)
        or (bool(path) and _log_of_path(path) in LOGS)
    )


def _read(read: Object, reference: Reference) -> list[Record]:
    if "ts" not in read:
        raise LineRejected("no line of a Zeek log: no `ts`")
    named = read.pop("_path", None)
    log = named if isinstance(named, str) and _NAME.fullmatch(named) else _log_of_path(reference.path)
    if log not in LOGS and not isinstance(named, str):
        log = next((known for column, known in LOG_OF_COLUMN.items() if column in read), log or "log")
    columns: Fields = {}
    put_flat(columns, "", read)
    return [record_of_columns(log, columns, reference)]


def _log_of_path(path: str) -> str:
    match = _FILE.fullmatch(path.rpartition("/")[2])
    return match[1] if match is not None else ""


def _recognises(line: str, path: str) -> bool:
    return line.startswith("#separator ")


ZEEK_JSON: Final = JsonKind("zeek", "ts", _is_meant, _read)
ZEEK: Final = Format("zeek", parse, _recognises, learn=learn)
