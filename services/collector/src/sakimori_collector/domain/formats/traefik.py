"""Traefik's access log (https://doc.traefik.io/traefik/observability/access-logs/), JSON.

Its CLF is Apache's combined format with fields of its own behind (requests, router, server, duration), which
`sakimori.log.rest` has: `auto` takes it for nginx's, as nothing else tells them apart.
"""

from typing import Final

from sakimori_collector.domain.ends import put_end, put_host_port
from sakimori_collector.domain.flat import Fields, put_flat
from sakimori_collector.domain.format import Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object
from sakimori_collector.domain.requests import put_host, put_number, put_status, put_target, put_text
from sakimori_collector.domain.timestamps import time_of

_TAKEN: Final = frozenset({
    "ClientAddr", "ClientHost", "ClientPort", "ClientUsername", "DownstreamContentSize", "DownstreamStatus",
    "Duration", "RequestAddr", "RequestHost", "RequestMethod", "RequestPath", "RequestPort", "RequestProtocol",
    "RequestContentSize", "ServiceURL", "StartLocal", "StartUTC", "level", "msg", "time", "request_User-Agent",
    "request_Referer", "request_Cookie", "request_X-Forwarded-For", "request_Content-Type",
})  # fmt: skip
_HEADERS: Final = {
    "request_User-Agent": "user_agent.original",
    "request_Referer": "http.request.referrer",
    "request_Cookie": "http.request.headers.cookie",
    "request_X-Forwarded-For": "http.request.headers.x-forwarded-for",
    "request_Content-Type": "http.request.headers.content-type",
}


def _is_meant(read: Object, path: str) -> bool:
    return "DownstreamStatus" in read


def _read(read: Object, reference: Reference) -> list[Record]:
    time = time_of(read.get("StartUTC") or read.get("time"), reference)
    fields: Fields = {"event.category": "web"}
    put_status(fields, read["DownstreamStatus"])
    if isinstance(read.get("ClientHost"), str):
        put_end(fields, "source", read["ClientHost"], read.get("ClientPort"))
    elif isinstance(read.get("ClientAddr"), str):
        put_host_port(fields, "source", read["ClientAddr"])
    put_text(fields, "user.name", read.get("ClientUsername"))
    put_text(fields, "http.request.method", read["RequestMethod"])
    put_host(fields, read.get("RequestHost"))
    version = read.get("RequestProtocol")
    if isinstance(version, str):
        put_text(fields, "http.version", version.removeprefix("HTTP/"))
    if isinstance(read.get("RequestPath"), str):
        put_target(fields, read["RequestPath"])
    put_number(fields, "http.response.body.bytes", read.get("DownstreamContentSize"))
    put_number(fields, "http.request.body.bytes", read.get("RequestContentSize"))
    put_number(fields, "event.duration", read.get("Duration"))
    for name, to in _HEADERS.items():
        put_text(fields, to, read.get(name))
    put_flat(
        fields, "traefik.access.", {name: value for name, value in read.items() if name not in _TAKEN and value != ""}
    )
    return [(time, fields)]


TRAEFIK: Final = JsonKind("traefik.access", "RequestMethod", _is_meant, _read)
