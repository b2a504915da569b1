"""IBM's Log Event Extended Format, 1.0 and 2.0 (https://www.ibm.com/docs/en/dsm?topic=leef-overview).

LEEF:1.0|vendor|product|version|event id|key=value<tab>key=value
LEEF:2.0|vendor|product|version|event id|^|key=value^key=value
"""

import re
from typing import Final

from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.flat import MAX_OWN_FIELDS, Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.security_devices import put_pairs, put_severity
from sakimori_collector.domain.timestamps import time_of

_PART: Final = r"((?:[^|\\]|\\.)*+)\|"
_HEADER: Final = re.compile(rf"LEEF: ?([12])(?:\.\d)?\|{_PART * 4}", re.DOTALL)
_DELIMITER: Final = re.compile(r"(?:0?x([0-9A-Fa-f]{2,4})|([^\w\s|]|\t)|)\|")
_BEGIN: Final = re.compile(r"LEEF: ?[12]")
_INSIDE: Final = re.compile(r"(?<=[ >:])LEEF: ?[12](?:\.\d)?\|")
_ESCAPED: Final = re.compile(r"\\([|\\=])")


def _parse(line: str, reference: Reference) -> list[Record]:
    match = _HEADER.match(line)
    if match is None:
        raise LineRejected("no header of LEEF: LEEF:1.0|vendor|product|version|event|")
    generation, vendor, product, version, event = map(_plain, match.groups())
    delimiter, begin = "\t", match.end()
    said = _DELIMITER.match(line, begin) if generation == "2" else None
    if said is not None:
        delimiter = chr(int(said[1], 16)) if said[1] else said[2] or "\t"
        begin = said.end()
    pairs: dict[str, str] = {}
    for part in line[begin:].split(delimiter, MAX_OWN_FIELDS)[:MAX_OWN_FIELDS]:
        key, equals, value = part.strip().partition("=")
        if equals and 0 < len(key) <= 256:
            pairs[key] = _plain(value)
    fields: Fields = {}
    time = _take_time(fields, pairs, reference)
    for to, text in (
        ("observer.vendor", vendor),
        ("observer.product", product),
        ("observer.version", version),
        ("event.code", event),
    ):
        if text:
            fields[to] = text
    put_severity(fields, pairs.pop("sev", ""))
    put_pairs(fields, pairs, "leef.")
    return [(time, fields)]


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _take_time(fields: Fields, pairs: dict[str, str], reference: Reference) -> int:
    """`devTimeFormat` says how `devTime` is written; it is one of the usual ways."""
    pairs.pop("devTimeFormat", None)
    written = pairs.pop("devTime", "")
    if not written:
        fields[OF_ARRIVAL] = True
        return reference.now
    return time_of(written, reference)


_carried = carried(_parse)


def _read(line: str, reference: Reference) -> list[Record]:
    inside = _INSIDE.search(line, 0, 1024) if _BEGIN.match(line) is None else None
    if inside is not None:
        try:
            return _carried(line, reference)
        except LineRejected:
            return _parse(line[inside.start() :], reference)
    return _carried(line, reference)


def _recognises(line: str, path: str) -> bool:
    if "LEEF:" not in line:  # what is asked of nearly all lines
        return False
    return _BEGIN.match(line) is not None or _INSIDE.search(line, 0, 1024) is not None


LEEF: Final = Format("leef", _read, _recognises)
