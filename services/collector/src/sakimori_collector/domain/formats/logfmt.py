r"""logfmt: `time=2026-01-16T01:59:58Z level=info msg="it \"works\"" done` (https://pkg.go.dev/github.com/kr/logfmt)."""

import re
from typing import Final

from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.flat import MAX_OWN_FIELDS, REST, Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.generic import record_of

_QUOTED: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PAIR: Final = re.compile(rf'([^\s="\']{{1,256}}+)(?:=(?:({_QUOTED})(?=\s|\Z)|([^\s"]\S*+)?))?(?:\s++|\Z)', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_TOLD: Final = re.compile(r"(?:\A|(?<=\s))(?:level|lvl|msg|ts|time|timestamp|t|severity|caller|logger)=")
_BEGIN: Final = re.compile(
    rf"[A-Za-z_@][\w.@/-]{{0,63}}=(?:{_QUOTED}|[^\s\"]*+)(?:\s++[A-Za-z_@][\w.@/-]{{0,63}}=|\s*+\Z)", re.DOTALL
)


def _parse(line: str, reference: Reference) -> list[Record]:
    fields: Fields = {}
    place, line = 0, line.strip()
    while place < len(line):
        match = _PAIR.match(line, place)
        if match is None:
            raise LineRejected(f"not logfmt at character {place + 1}")
        if len(fields) >= MAX_OWN_FIELDS:
            fields[REST] = line[place:]
            break
        key, quoted, plain = match.groups()
        value = _unquoted(quoted) if quoted is not None else plain
        if value is not None:
            fields[key] = value
        elif "=" not in match[0]:
            fields[key] = True
        place = match.end()
    if not any(isinstance(value, str) for value in fields.values()):
        raise LineRejected("not logfmt: no key=value")
    return [record_of(fields, reference)]


def _unquoted(text: str) -> str:
    inside = text[1:-1]
    return _ESCAPED.sub(_character, inside) if "\\" in inside else inside


def _character(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1] if match[1] in "\"\\'" else match[0])


def _recognises(line: str, path: str) -> bool:
    """Two pairs at the beginning, and one whose name is usual there."""
    return _BEGIN.match(line) is not None and _TOLD.search(line) is not None


LOGFMT: Final = Format("logfmt", carried(_parse), _recognises)
