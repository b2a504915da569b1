"""The head of an HTTP/1 message (RFC 9112, 2 to 5) as fields of an event."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

MAX_HEAD: Final = 65_536
_MAX_LINES: Final = 256

METHODS: Final = frozenset(
    b"GET POST HEAD PUT DELETE OPTIONS PATCH TRACE CONNECT QUERY PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH "
    b"REPORT MKACTIVITY CHECKOUT MERGE SUBSCRIBE UNSUBSCRIBE NOTIFY PURGE LINK UNLINK BIND UNBIND ACL DEBUG TRACK "
    b"CCM_POST BITS_POST RPC_IN_DATA RPC_OUT_DATA SOURCE".split()
)
"""Methods that are met, of the registry and of products; others count where the line ends in a version."""

_REQUEST_LINE: Final = re.compile(rb"([!-~]{1,64})[ \t]+([^\r]*?)(?:[ \t]+HTTP/(\d\.\d))?[ \t]*\r?")
_STATUS_LINE: Final = re.compile(rb"HTTP/(\d\.\d)[ \t]+(\d{3})(?:[ \t]|$)")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_USER: Final = re.compile(r"(?<=//)[^/?#@]*@")
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[\w.~%-]+)(?::(\d{1,5}))?")
_SCHEME: Final = re.compile(rb"[A-Za-z0-9-]{1,32}(?=[ \t,]|$)")
_FILE_NAME: Final = re.compile(rb"filename\*?=(?:UTF-8'[^']*')?(?:\"((?:[^\"\\]|\\.)*)\"?|([^;\s]+))", re.IGNORECASE)


@dataclass(slots=True)
class Head:
    """What a head says: fields, and what follows it. `length` is that of the body, -1 where it does not say."""

    fields: Fields
    length: int = -1
    is_chunked: bool = False
    is_encoded: bool = False
    upgrade: str = ""
    method: bytes = b""
    status: int = 0
    problems: list[str] = field(default_factory=list)


_Reader = Callable[[bytes, Head], None] | str | None
"""What is done with a header: read by a function, kept as a field (the first of several), or nothing."""


def parse_request(head: bytes) -> Head:
    """Parse a request's head without the empty line behind it. Raises Malformed."""
    line, _, rest = head.partition(b"\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None or (found[1] not in METHODS and found[3] is None):
        raise Malformed("no request line")
    method, target, version = found.groups()
    parsed = Head({"http.request.method": text_of(method)}, method=method)
    parsed.fields["http.version"] = version.decode() if version else "0.9"
    _read_lines(rest, _REQUEST, parsed)
    _read_target(text_of(target), parsed)
    if not version:
        parsed.problems.append("no_version")
    if parsed.problems:
        parsed.fields["http.request.anomalies"] = [*dict.fromkeys(parsed.problems)]
    return parsed


def parse_response(head: bytes) -> Head:
    """Parse a response's head without the empty line behind it. Raises Malformed."""
    line, _, rest = head.partition(b"\n")
    found = _STATUS_LINE.match(line.rstrip())
    if found is None:
        raise Malformed("no status line")
    status = int(found[2])
    parsed = Head({"http.version": found[1].decode(), "http.response.status_code": status}, status=status)
    parsed.fields["event.outcome"] = "success" if status < 400 else "failure"
    _read_lines(rest, _RESPONSE, parsed)
    if parsed.problems:
        parsed.fields["http.response.anomalies"] = [*dict.fromkeys(parsed.problems)]
    return parsed


def _read_lines(rest: bytes, readers: dict[bytes, _Reader], head: Head) -> None:
    if b"\n " in rest or b"\n\t" in rest:
        rest = _FOLD.sub(b" ", rest)
        head.problems.append("folded_header")
    lines = rest.split(b"\n", _MAX_LINES)
    if len(lines) > _MAX_LINES:
        head.problems.append("many_headers")
        lines.pop()
    fields = head.fields
    for line in lines:
        name, colon, value = line.partition(b":")
        reader = readers.get(name, "")
        if reader == "":
            reader = readers.get(name.lower())
            if reader is None and not colon and name.strip():
                head.problems.append("header_without_colon")
        if reader is None:
            continue
        if isinstance(reader, str):
            if reader not in fields:
                fields[reader] = text_of(value.strip())
        else:
            reader(value.strip(), head)


def _read_target(target: str, head: Head) -> None:
    """Take the request target apart (RFC 9112, 3.2), with what the Host header says."""
    fields = head.fields
    if "@" in target and "//" in target[:16]:
        target = _USER.sub("", target, count=1)  # a password may stand there
    fields["url.original"] = target
    host = str(fields.pop("http.request.headers.host", ""))
    path = target
    if head.method == b"CONNECT":
        host, path = target, ""
    elif target[:7].lower() == "http://" or target[:8].lower() == "https://":
        authority, slash, rest = target.partition("//")[2].partition("/")
        host, path = authority.partition("?")[0] or host, slash + rest
        fields["url.full"] = target
    elif host and target.startswith("/"):
        fields["url.full"] = f"http://{host}{target}"[:4096]
    _read_host(host, fields)
    if path:
        path, mark, query = path.partition("?")
        fields["url.path"] = path
        if mark:
            fields["url.query"] = query


def _read_host(host: str, fields: Fields) -> None:
    found = _host_parts(host)
    if found is not None:
        fields["url.domain"], port = found
        if port:
            fields["url.port"] = port
    elif host:
        fields["url.domain"] = host
        fields["http.request.headers.host"] = host  # no host's name: rules look into it


@lru_cache(maxsize=1024)
def _host_parts(host: str) -> tuple[str, int] | None:
    found = _HOST.fullmatch(host)
    return (found[1].lower(), int(found[2] or 0)) if found else None


def _read_host_header(value: bytes, head: Head) -> None:
    if "http.request.headers.host" in head.fields:
        head.problems.append("several_hosts")
    head.fields.setdefault("http.request.headers.host", text_of(value, 1024))


def _read_length(value: bytes, head: Head) -> None:
    if not value.isdigit() or len(value) > 18:
        head.problems.append("bad_content_length")
    elif head.length not in {-1, int(value)}:
        head.problems.append("several_content_lengths")
    else:
        head.length = int(value)
        if head.is_chunked:
            head.problems.append("content_length_and_chunked")


def _read_transfer(value: bytes, head: Head) -> None:
    codings = value.lower().replace(b" ", b"").split(b",")
    if codings[-1] == b"chunked":
        head.is_chunked = True
        if head.length >= 0:
            head.problems.append("content_length_and_chunked")
    elif codings[-1] != b"identity":
        head.problems.append("unknown_transfer_encoding")


def _read_encoding(value: bytes, head: Head) -> None:
    head.is_encoded = value.lower() not in {b"identity", b""}


def _read_upgrade(value: bytes, head: Head) -> None:
    head.upgrade = text_of(value, 64).lower()


def _scheme(name: str) -> _Reader:
    """Keep the scheme of an authentication header, never what follows it: that is the credential."""

    def read(value: bytes, head: Head) -> None:
        found = _SCHEME.match(value)
        head.fields[name] = found[0].decode().lower() if found else "other"

    return read


def _present(name: str) -> _Reader:
    def read(value: bytes, head: Head) -> None:
        head.fields[name] = True

    return read


def _read_disposition(value: bytes, head: Head) -> None:
    if found := _FILE_NAME.search(value[:1024]):
        head.fields["file.name"] = text_of(found[1] if found[1] is not None else found[2], 255)


_BORING: Final = (
    "Accept Accept-Charset Accept-Encoding Accept-Ranges Access-Control-Allow-Origin Age Alt-Svc Cache-Control "
    "Connection DNT Date ETag Expires If-Modified-Since If-None-Match Keep-Alive Last-Modified P3P Pragma Set-Cookie "
    "Strict-Transport-Security Upgrade-Insecure-Requests Vary X-Cache X-Content-Type-Options X-Frame-Options "
    "X-Powered-By"
)
"""Headers that are met often and not read: known so that they cost one look."""


def _named(readers: dict[str, _Reader]) -> dict[bytes, _Reader]:
    """Index readers by their header's name as it is usually written, and in lower case, as it is looked for then."""
    named = {**dict.fromkeys(_BORING.split()), **readers}
    return {form.encode(): reader for name, reader in named.items() for form in (name, name.lower())}


_REQUEST: Final = _named(
    {
        "Host": _read_host_header,
        "User-Agent": "user_agent.original",
        "Referer": "http.request.referrer",
        "Content-Type": "http.request.headers.content-type",
        "Content-Length": _read_length,
        "Transfer-Encoding": _read_transfer,
        "Content-Encoding": _read_encoding,
        "Authorization": _scheme("http.request.authentication.scheme"),
        "Proxy-Authorization": _scheme("http.request.proxy_authentication.scheme"),
        "Cookie": _present("http.request.has_cookie"),
        "Upgrade": _read_upgrade,
        "Content-Disposition": _read_disposition,
        **{
            name: f"http.request.headers.{name.lower()}"
            for name in (
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "Origin",
                "Accept-Language",
                "X-Api-Version",
                "Via",
                "Range",
            )
        },
        "SOAPAction": "http.request.headers.soapaction",
    }
)
_RESPONSE: Final = _named(
    {
        "Content-Type": "http.response.headers.content-type",
        "Content-Length": _read_length,
        "Transfer-Encoding": _read_transfer,
        "Content-Encoding": _read_encoding,
        "Server": "http.response.headers.server",
        "Location": "http.response.headers.location",
        "WWW-Authenticate": _scheme("http.response.authentication.scheme"),
        "Content-Range": "http.response.headers.content-range",
        "Upgrade": _read_upgrade,
        "Content-Disposition": _read_disposition,
    }
)
