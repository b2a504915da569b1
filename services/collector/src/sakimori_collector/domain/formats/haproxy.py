"""HAProxy's logs of HTTP, of TCP and of failed connections, bare and through syslog.

https://docs.haproxy.org/3.0/configuration.html#8.2: HAProxy itself escapes what a client sends (`#22` for a quote), so
the fields cannot be forged. The time is the host's, without a zone.
"""

import re
from typing import Final

from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.ends import put_host_port
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.requests import put_request_line, put_status, put_text
from sakimori_collector.domain.times import access_time
from sakimori_collector.domain.timestamps import in_zone, plausible

_BEGIN: Final = r"(\S{3,64}) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d)(?:\.(\d{3}))?\] ([^\s/]{1,128})"
_COUNTS: Final = r"(\d{1,10}/\d{1,10}/\d{1,10}/\d{1,10}/\+?\d{1,10}) (\d{1,10}/\d{1,10})"
_HTTP: Final = re.compile(
    rf"{_BEGIN} ([^\s/]{{1,128}})/(\S{{1,128}}) ((?:[+-]?\d{{1,10}}/){{4}}[+-]?\d{{1,10}}) (-1|\d{{1,3}}) "
    r"\+?(\d{1,18}) "
    rf'(\S{{1,128}}) (\S{{1,128}}) (\S{{2,6}}) {_COUNTS}(?: \{{([^}}]*+)\}})?(?: \{{([^}}]*+)\}})? "([^"]*+)"?(.*+)\Z'
)
_TCP: Final = re.compile(
    rf"{_BEGIN} ([^\s/]{{1,128}})/(\S{{1,128}}) ([+-]?\d{{1,10}}/[+-]?\d{{1,10}}/\+?\d{{1,10}}) \+?(\d{{1,18}}) "
    rf"(\S{{2,4}}) {_COUNTS}(.*+)\Z"
)
_ERROR: Final = re.compile(rf"{_BEGIN}/(\S{{1,128}}): (.*+)\Z")
_RECOGNISED: Final = re.compile(_BEGIN + r"[ /]")
_HASHED: Final = re.compile(r"#([0-9A-F]{2})")
_MICROSECONDS: Final = 1000
_TIMERS: Final = ("request", "queue", "connect", "response", "active")


def _parse(line: str, reference: Reference) -> list[Record]:
    for expression, read in ((_HTTP, _read_http), (_TCP, _read_tcp), (_ERROR, _read_error)):
        match = expression.match(line)
        if match is not None:
            time = _time_of(match[2], match[3], reference)
            fields = read(match)
            put_host_port(fields, "source", _bracketed(match[1]))
            put_text(fields, "haproxy.frontend_name", match[4].rstrip("~"))
            return [(time, fields)]
    raise LineRejected("not a line of HAProxy's HTTP, TCP or error log")


def _bracketed(client: str) -> str:
    """The address and its port are joined by a colon, without brackets also where that is IPv6."""
    host, _, port = client.rpartition(":")
    return f"[{host}]:{port}" if ":" in host and host[:1] != "[" else client


def _time_of(text: str, milliseconds: str | None, reference: Reference) -> int:
    try:
        local = access_time(f"{text} +0000")
    except ValueError as error:
        raise LineRejected(str(error)) from None
    time = in_zone(local, reference.zone) + int(milliseconds or 0) * _MICROSECONDS
    return plausible(time, reference)


def _read_http(match: re.Match[str]) -> Fields:
    backend, server, timers, status, size, _, _, state, counts, queues, asked, answered, request, rest = match.groups()[
        4:
    ]
    fields: Fields = {"event.category": "web"}
    put_status(fields, status)
    if request != "<BADREQ>":
        put_request_line(fields, _HASHED.sub(_character, request))
    else:
        fields["event.outcome"] = "failure"
    fields["http.response.body.bytes"] = int(size)
    _put_common(fields, (backend, server, state, counts, queues), timers, _TIMERS)
    put_text(fields, "haproxy.http.request.captured_headers", asked)
    put_text(fields, "haproxy.http.response.captured_headers", answered)
    put_text(fields, "sakimori.log.rest", rest.strip())
    return fields


def _read_tcp(match: re.Match[str]) -> Fields:
    backend, server, timers, size, state, counts, queues, rest = match.groups()[4:]
    fields: Fields = {"event.dataset": "haproxy.tcp", "event.category": "network", "destination.bytes": int(size)}
    fields["event.outcome"] = "success" if state.startswith("--") else "failure"
    _put_common(fields, (backend, server, state, counts, queues), timers, ("queue", "connect", "active"))
    put_text(fields, "sakimori.log.rest", rest.strip())
    return fields


def _read_error(match: re.Match[str]) -> Fields:
    fields: Fields = {"event.dataset": "haproxy.error", "event.category": "network", "event.outcome": "failure"}
    fields["haproxy.bind_name"], fields["message"] = match[5], match[6]
    if "SSL handshake" in match[6]:
        fields["event.action"] = "tls-handshake-failed"
    return fields


def _put_common(fields: Fields, parts: tuple[str, ...], timers: str, names: tuple[str, ...]) -> None:
    backend, server, state, counts, queues = parts
    fields |= {"haproxy.backend_name": backend, "haproxy.server_name": server, "haproxy.termination_state": state}
    for name, value in zip(names, timers.split("/"), strict=True):
        if value[0] != "-":
            fields[f"haproxy.time_{name}_milliseconds"] = int(value)
    total = fields.get(f"haproxy.time_{names[-1]}_milliseconds")
    if isinstance(total, int):
        fields["event.duration"] = total * 1_000_000
    fields["haproxy.connections"], fields["haproxy.queues"] = counts, queues


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if 0x20 <= code < 0x7F else match[0]


HAPROXY: Final = Format("haproxy.access", carried(_parse), lambda line, _: _RECOGNISED.match(line) is not None)
