"""Pairs of keys and values, with anything between them: `date=2026-01-16 time=01:59:58 srcip=192.0.2.7, action="deny"`.

What firewalls and the like write: pairs are parted by spaces, commas, semicolons, bars or tabs; quotes are single or
double. Text before the first pair is the message.
"""

import re
from typing import Final

from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.flat import MAX_OWN_FIELDS, REST, Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.generic import record_of

_VALUE: Final = r"""(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|'([^'\\]*+(?:\\.[^'\\]*+)*+)'|([^\s,;|"'][^\s,;|]*+)?)"""
_PAIR: Final = re.compile(rf"(?:\A|(?<=[\s,;|]))([A-Za-z_@][\w.@/-]{{0,127}}+) ?=(?: (?=[\"'\w]))?{_VALUE}", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([\"'\\])")
_BEGIN: Final = re.compile(
    r"(?:[A-Za-z_@][\w.@/-]{0,63}+=(?:\"[^\"]*+\"|'[^']*+'|[^\s,;|\"']*+)[\s,;|]{1,8}+){2}[A-Za-z_@][\w.@/-]{0,63}+=",
    re.DOTALL,
)
_FEWEST: Final = 2


def _parse(line: str, reference: Reference) -> list[Record]:
    fields: Fields = {}
    first, end = None, 0
    for number, match in enumerate(_PAIR.finditer(line)):
        first = match.start() if first is None else first
        if number >= MAX_OWN_FIELDS:
            fields[REST] = line[match.start() :]
            break
        double, single, plain = match.groups()[1:]
        value = double if double is not None else single if single is not None else plain
        if value:
            fields[match[1]] = _ESCAPED.sub(r"\1", value) if "\\" in value else value
        end = match.end()
    if first is None or len(fields) < _FEWEST:
        raise LineRejected("fewer than two pairs of key=value")
    before, behind = line[:first].strip(" ,;|\t"), line[end:].strip(" ,;|\t")
    if before and "message" not in fields:
        fields["message"] = before
    if behind and REST not in fields:
        fields[REST] = behind
    return [record_of(fields, reference)]


KEYVALUE: Final = Format("keyvalue", carried(_parse), lambda line, _: _BEGIN.match(line) is not None)
