"""What a web log says of a request, whatever its format."""

import re
from typing import Final

from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.json_kind import number_of

_AUTHORITY: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^/?#]*")


def put_target(fields: Fields, target: str) -> None:
    """Set `url.original`, `.path` and `.query` of a request's target, which may be a whole URL."""
    if not target:
        return
    fields["url.original"] = target
    if target[0] != "/":
        match = _AUTHORITY.match(target)
        target = target[match.end() :] if match is not None else target
    path, mark, query = target.partition("?")
    if path[:1] == "/" or path == "*":
        fields["url.path"] = path
    if mark:
        fields["url.query"] = query


def put_request_line(fields: Fields, request: str) -> None:
    """Take `GET / HTTP/1.1` apart; what is none (a TLS handshake) is kept as it came, in `url.original`."""
    method, _, rest = request.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    if protocol.startswith("HTTP/"):
        fields["http.version"] = protocol[5:]
    elif rest and method.isalpha() and method.isupper():
        target = rest  # HTTP/0.9 has no version, and a target with spaces in it may end in anything
    else:
        target = ""
    if not target:
        if request and request != "-":
            fields["url.original"] = request
        return
    fields["http.request.method"] = method
    put_target(fields, target)


def put_status(fields: Fields, status: object) -> None:
    """Set the status code and the outcome that goes with it; a status of no answer (0, -1) is a failure."""
    code = number_of(status)
    if code is not None and 100 <= code <= 599:
        fields["http.response.status_code"] = code
    if status is not None:
        fields["event.outcome"] = "success" if code is not None and 100 <= code < 400 else "failure"


def put_text(fields: Fields, name: str, value: object) -> None:
    """Set a field to a text that says something; `-` and nothing are left out."""
    if isinstance(value, str) and value and value != "-":
        fields[name] = value


def put_host(fields: Fields, value: object) -> None:
    """Set `url.domain` to what a `Host` header names, without its port and the brackets of IPv6."""
    if isinstance(value, str) and value and value != "-":
        host, colon, port = value.rpartition(":")
        has_port = bool(colon) and port.isdigit() and (":" not in host or host[:1] == "[")
        fields["url.domain"] = (host if has_port else value).strip("[]")


def put_number(fields: Fields, name: str, value: object) -> None:
    """Set a field to a whole number that is not negative, also one written as text."""
    number = number_of(value)
    if number is not None:
        fields[name] = number
