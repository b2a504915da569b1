"""nginx access logs as JSON: everybody writes the `log_format` himself, mostly with the names of nginx's variables.

http://nginx.org/en/docs/http/ngx_http_core_module.html#variables; what is not among the usual names is kept as
`nginx.access.<name>`.
"""

from typing import Any, Final

from sakimori_collector.domain.ends import put_end
from sakimori_collector.domain.flat import Fields, put_flat
from sakimori_collector.domain.format import Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object
from sakimori_collector.domain.requests import put_host, put_number, put_request_line, put_status, put_target, put_text
from sakimori_collector.domain.timestamps import time_of

_TIMES: Final = ("msec", "time_iso8601", "@timestamp", "timestamp", "time", "time_local", "ts", "date")
_CLIENTS: Final = ("remote_addr", "remote_ip", "client_ip", "client", "clientip", "ip", "realip_remote_addr")
_TARGETS: Final = ("request_uri", "uri", "url", "path", "document_uri")
_SIZES: Final = ("body_bytes_sent", "bytes_sent", "bytes", "size")
_TEXTS: Final = {
    "http.request.method": ("request_method", "method", "http_method", "verb"),
    "user_agent.original": ("http_user_agent", "user_agent", "agent", "useragent"),
    "http.request.referrer": ("http_referer", "http_referrer", "referer", "referrer"),
    "user.name": ("remote_user", "user"),
    "http.request.headers.x-forwarded-for": ("http_x_forwarded_for", "x_forwarded_for"),
    "http.request.headers.cookie": ("http_cookie",),
    "trace.id": ("request_id",),
}
_HOSTS: Final = ("http_host", "host", "server_name", "vhost", "domain")
_MARKS: Final = (
    "http_user_agent",
    "body_bytes_sent",
    "request_time",
    "bytes_sent",
    "remote_user",
    "time_local",
    "time_iso8601",
)
"""Variables of nginx that other logs of requests do not call so."""
_SECONDS: Final = 1_000_000_000


def _is_meant(read: Object, path: str) -> bool:
    """A status, a request, and a name that is nginx's."""
    asked = "request" in read or "request_uri" in read or "request_method" in read or "uri" in read
    return asked and any(mark in read for mark in _MARKS)


def _read(read: Object, reference: Reference) -> list[Record]:
    left: dict[str, Any] = dict(read)

    def take(*names: str) -> Any:
        found = None
        for name in names:
            value = left.get(name)
            if found is None and value not in (None, ""):
                found = left.pop(name)
        return found

    time = time_of(take(*_TIMES), reference)
    fields: Fields = {"event.dataset": "nginx.access", "event.category": "web"}
    put_status(fields, take("status"))
    put_end(fields, "source", take(*_CLIENTS), take("remote_port"))
    request = take("request")
    if isinstance(request, str):
        put_request_line(fields, request)
    target = take(*_TARGETS)
    if isinstance(target, str) and "url.original" not in fields:
        put_target(fields, target)
    for to, names in _TEXTS.items():
        value = take(*names)
        if to not in fields:
            put_text(fields, to, value)
    put_host(fields, take(*_HOSTS))
    version = take("server_protocol", "protocol", "http_version")
    if isinstance(version, str) and "http.version" not in fields:
        put_text(fields, "http.version", version.removeprefix("HTTP/"))
    _put_rest(fields, take(*_SIZES), take("request_time"), left)
    return [(time, fields)]


def _put_rest(fields: Fields, size: object, seconds: object, left: Object) -> None:
    put_number(fields, "http.response.body.bytes", size)
    try:
        duration = float(seconds) if isinstance(seconds, str | int | float) else -1.0
    except ValueError:
        duration = -1.0
    if 0 <= duration < 1e9:
        fields["event.duration"] = round(duration * _SECONDS)
    put_flat(fields, "nginx.access.", {name: value for name, value in left.items() if value not in ("", "-")})


NGINX_JSON: Final = JsonKind("nginx.json", "status", _is_meant, _read)
