"""Caddy's access log (https://caddyserver.com/docs/logging), JSON."""

from typing import Final

from sakimori_collector.domain.ends import put_end, put_host_port
from sakimori_collector.domain.flat import Fields, put_flat
from sakimori_collector.domain.format import Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object, nested
from sakimori_collector.domain.requests import put_host, put_number, put_status, put_target, put_text
from sakimori_collector.domain.timestamps import time_of

_NANOSECONDS: Final = 1_000_000_000
_TAKEN: Final = frozenset(
    {"ts", "level", "msg", "request", "status", "size", "bytes_read", "user_id", "resp_headers", "duration"}
)
_REQUEST: Final = frozenset(
    {"remote_ip", "remote_port", "remote_addr", "client_ip", "proto", "method", "host", "uri", "headers"}
)
_HEADERS: Final = {
    "user-agent": "user_agent.original",
    "referer": "http.request.referrer",
    "cookie": "http.request.headers.cookie",
    "x-forwarded-for": "http.request.headers.x-forwarded-for",
    "content-type": "http.request.headers.content-type",
}


def _is_meant(read: Object, path: str) -> bool:
    request = read["request"]
    return isinstance(request, dict) and "method" in request and "uri" in request and "status" in read


def _read(read: Object, reference: Reference) -> list[Record]:
    time = time_of(read.get("ts"), reference)
    request = read["request"]
    fields: Fields = {"event.category": "web"}
    put_status(fields, read["status"])
    if "remote_ip" in request:
        # The client, where Caddy trusts the proxy in front of it; else the same as the peer.
        put_end(fields, "source", request.get("client_ip") or request["remote_ip"], request.get("remote_port"))
        if "client_ip" in request and request["client_ip"] != request["remote_ip"]:
            put_text(fields, "caddy.request.remote_ip", request["remote_ip"])
            fields.pop("source.port", None)
    elif isinstance(request.get("remote_addr"), str):
        put_host_port(fields, "source", request["remote_addr"])
    _put_request(fields, request)
    put_text(fields, "user.name", read.get("user_id"))
    put_number(fields, "http.response.body.bytes", read.get("size"))
    put_number(fields, "http.request.body.bytes", read.get("bytes_read"))
    duration = read.get("duration")
    if isinstance(duration, int | float) and 0 <= duration < 1e9:
        fields["event.duration"] = round(duration * _NANOSECONDS)
    put_flat(fields, "caddy.", {name: value for name, value in read.items() if name not in _TAKEN})
    return [(time, fields)]


def _put_request(fields: Fields, request: Object) -> None:
    put_text(fields, "http.request.method", request["method"])
    put_host(fields, request.get("host"))
    if isinstance(request["uri"], str):
        put_target(fields, request["uri"])
    version = request.get("proto")
    if isinstance(version, str):
        put_text(fields, "http.version", version.removeprefix("HTTP/"))
    headers = request.get("headers")
    if isinstance(headers, dict):
        for name, values in headers.items():
            to = _HEADERS.get(name.lower())
            if to is not None and isinstance(values, list):
                put_text(fields, to, ", ".join(map(str, values)))
    put_text(fields, "tls.client.server_name", nested(request, "tls", "server_name"))
    put_flat(fields, "caddy.request.", {name: value for name, value in request.items() if name not in _REQUEST})


CADDY: Final = JsonKind("caddy.access", "request", _is_meant, _read)
