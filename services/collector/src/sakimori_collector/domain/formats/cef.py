r"""ArcSight's Common Event Format (CEF 1.2, "Implementing ArcSight Common Event Format", version 26).

    CEF:0|vendor|product|version|signature id|name|severity|key=value with spaces other=a\=b

In the header `|` and `\` are escaped, in values `=`, `\` and line ends. A value ends where the next ` key=` begins.
"""

import re
from itertools import islice
from typing import Final

from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.flat import MAX_OWN_FIELDS, Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.security_devices import NOT_NAME, put_pairs, put_severity
from sakimori_collector.domain.timestamps import time_of

_PART: Final = r"((?:[^|\\]|\\.)*+)\|"
_HEADER: Final = re.compile(rf"(?:CEF: ?)?([01])\|{_PART * 5}([^|]{{0,32}})\|", re.DOTALL)
_BARE: Final = re.compile(
    r"[01]\|(?:[^|\\]|\\.){1,128}\|(?:[^|\\]|\\.){1,128}\|(?:(?:[^|\\]|\\.){0,512}\|){3}[\w -]{0,16}\|"
)
"""Some relays take `CEF:` for the name of a program and leave it out."""
_BEGIN: Final = re.compile(r"CEF: ?[01]\|")
_INSIDE: Final = re.compile(r"(?<=[ >:])CEF: ?[01]\|")
_KEY: Final = re.compile(r"(?:\A|(?<=\s))([A-Za-z_][\w.\[\]-]{0,255})=")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_TIMES: Final = ("rt", "deviceReceiptTime", "end", "start", "UNIFIutcTime")
_LABEL: Final = "Label"


def _parse(line: str, reference: Reference) -> list[Record]:
    match = _HEADER.match(line)
    if match is None:
        raise LineRejected("no header of CEF: CEF:0|vendor|product|version|signature|name|severity|")
    _, vendor, product, version, signature, name, severity = map(_header_text, match.groups())
    pairs = _with_labels(pairs_of(line[match.end() :]))
    fields: Fields = {}
    time = _take_time(fields, pairs, reference)
    for to, value in (
        ("observer.vendor", vendor),
        ("observer.product", product),
        ("observer.version", version),
        ("event.code", signature),
        ("rule.name", name),
    ):
        if value:
            fields[to] = value
    put_severity(fields, severity)
    put_pairs(fields, pairs, "cef.")
    return [(time, fields)]


def _header_text(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def pairs_of(text: str) -> dict[str, str]:
    """Take the extension apart; of a key that comes twice the last counts."""
    found = list(islice(_KEY.finditer(text), MAX_OWN_FIELDS + 1))
    pairs: dict[str, str] = {}
    for number, match in enumerate(found[:MAX_OWN_FIELDS]):
        end = found[number + 1].start() if number + 1 < len(found) else len(text)
        value = text[match.end() : end].strip()
        pairs[match[1]] = _ESCAPED.sub(_unescaped, value) if "\\" in value else value
    return pairs


def _unescaped(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(match[1], match[1] if match[1] in "=\\|" else match[0])


def _with_labels(pairs: dict[str, str]) -> dict[str, str]:
    """`cs1=x cs1Label=Rule Name` says `rule_name: x`."""
    for label in [key for key in pairs if key.endswith(_LABEL)]:
        key = label.removesuffix(_LABEL)
        name = NOT_NAME.sub("_", pairs[label].lower())[:128].strip("_")
        if key in pairs and name:
            value = pairs.pop(key)
            del pairs[label]
            pairs.setdefault(name, value)
    return pairs


def _take_time(fields: Fields, pairs: dict[str, str], reference: Reference) -> int:
    for name in _TIMES:
        if pairs.get(name):
            return time_of(pairs.pop(name), reference)
    fields[OF_ARRIVAL] = True
    return reference.now


_carried = carried(_parse)


def _read(line: str, reference: Reference) -> list[Record]:
    """Relays put all kinds of things before `CEF:`; what is no header of syslog is not looked at."""
    if _HEADER.match(line) is None:
        inside = _INSIDE.search(line, 0, 1024)
        if inside is not None:
            try:
                return _carried(f"{line[: inside.start()].rstrip()} {line[inside.start() :]}", reference)
            except LineRejected:
                return _parse(line[inside.start() :], reference)
    return _carried(line, reference)


def _recognises(line: str, path: str) -> bool:
    if "CEF:" not in line:  # what is asked of nearly all lines
        return _BARE.match(line) is not None
    return _BEGIN.match(line) is not None or _INSIDE.search(line, 0, 1024) is not None


CEF: Final = Format("cef", _read, _recognises)
