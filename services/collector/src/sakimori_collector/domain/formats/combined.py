r"""The access log line that Apache and nginx share: NCSA common, and combined, which adds referrer and user agent.

    [host[:port] ]client ident user [time] "request" status bytes[ "referrer" "user agent"][ anything]

Everything quoted is the client's: servers escape `"` inside as `\"` (Apache) or `\x22` (nginx), so the first quote
that is not escaped ends it. Quantifiers are possessive (`*+`): no line makes the expression go back and forth.

Nearly all lines are of an address that asks for a path, without anything escaped: those are taken apart by one
expression, in half the time. All others go the long way, which gives the same for these.
"""

import re
from collections.abc import Sequence
from typing import Any

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.requests import put_request_line
from sakimori_collector.domain.text import unescape
from sakimori_collector.domain.times import DAY, access_time
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import format_instant

_PLAIN = r'"([^"]*+)"'
_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_TIME = r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"
_ANSWER = rf" (\d{{3}}) (\d{{1,18}}|-)(?: {_QUOTED} {_QUOTED})?(?: (.*+))?\Z"
_REST = rf" {_QUOTED}{_ANSWER}"
_ASKED = r'"([A-Z]++) ((/[^" ?]*+)(?:\?([^" ]*+))?) HTTP/([^" ]*+)"'
_USUAL = re.compile(rf"([0-9A-Fa-f.:]++) \S++ (\S++) {_TIME} {_ASKED}{_ANSWER}".replace(_QUOTED, _PLAIN))
_LINE = re.compile(rf"()(\S++) \S++ (\S++) {_TIME}{_REST}")
_LINE_WITH_HOST = re.compile(rf'([^\s"]++) (?!- )(\S++) \S++ (\S++) {_TIME}{_REST}')
_SPACES = re.compile(rf'(?:([^\s"]++) (?!- ))?(?=[^\s.:]*+[.:])(\S++) \S++ ((?:[^"\\]|\\.){{0,4096}}) {_TIME}{_REST}')
"""The same for a user name with spaces in it, which only basic authentication gives."""
_CARRIER = re.compile(
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} (?:[ \d]\d|\d) \d\d:\d\d:\d\d|\d{4}-\d\d-\S{10,30}) (\S{1,255}) \S{1,64}: "
)
"""What syslog puts before the line where the server logs there (`access_log syslog:`, `| logger`)."""
_BEGINNING = re.compile(rf'[^"]{{0,8192}} {_TIME} "')


def is_combined(line: str) -> bool:
    """Tell whether a line begins like one of an access log."""
    return _BEGINNING.match(line) is not None


def parse_combined(line: str, reference: Reference) -> list[Record]:
    """Read one line. Raises LineRejected."""
    usual = None if "\\" in line else _USUAL.match(line)
    if usual is None:
        return parse_unusual(line, reference)
    client, user, time, method, target, path, query, version, *answer = usual.groups()
    fields: dict[str, FieldValue] = {
        "event.category": "web",
        "http.request.method": method,
        "url.original": target,
        "url.path": path,
        "http.version": version,
    }
    if query is not None:
        fields["url.query"] = query
    put_source(fields, client)
    if user != "-":
        fields["user.name"] = user
    _put_answer(fields, answer)
    return [(_time_of(time, reference), fields)]


def parse_unusual(line: str, reference: Reference) -> list[Record]:
    """Read one line of any kind. Raises LineRejected."""
    match = _LINE.match(line)
    carrier = _CARRIER.match(line) if match is None else None
    if carrier is not None:
        line = line[carrier.end() :]
        match = _LINE.match(line)
    match = match or _LINE_WITH_HOST.match(line) or _SPACES.match(line)
    if match is None:
        raise LineRejected("not an access log line in common or combined format")
    fields = _fields_of(match)
    if carrier is not None:
        fields["host.hostname"] = carrier[1]
    return [(_time_of(match[4], reference), fields)]


def _time_of(text: str, reference: Reference) -> int:
    try:
        time = access_time(text)
    except ValueError as error:
        raise LineRejected(str(error)) from None
    if time > reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(time)}")
    return time


def _fields_of(match: re.Match[str]) -> dict[str, FieldValue]:
    host, client, user, _, request, status, size, referrer, agent, rest = match.groups()
    fields: dict[str, FieldValue] = {"event.category": "web"}
    put_source(fields, client)
    put_request_line(fields, unescape(request))
    if user != "-":
        fields["user.name"] = unescape(user)
    _put_answer(fields, (status, size, referrer and unescape(referrer), agent and unescape(agent), rest))
    if host:
        fields["url.domain"] = host.partition(":")[0]
    return fields


def _put_answer(fields: dict[str, FieldValue], answer: Sequence[Any]) -> None:
    """Put what stands behind the request; referrer, agent and rest are None where there are none."""
    status, size, referrer, agent, rest = answer
    code = int(status)
    fields["http.response.status_code"] = code
    fields["event.outcome"] = "success" if code < 400 else "failure"
    if size != "-":
        fields["http.response.body.bytes"] = int(size)
    if referrer and referrer != "-":
        fields["http.request.referrer"] = referrer
    if agent and agent != "-":
        fields["user_agent.original"] = agent
    if rest:
        fields["sakimori.log.rest"] = rest
