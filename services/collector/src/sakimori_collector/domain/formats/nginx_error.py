"""nginx's error log (http://nginx.org/en/docs/ngx_core_module.html#error_log).

    2026/01/16 01:59:58 [error] 4711#4711: *9 <message>, client: 192.0.2.7, server: x, request: "GET /", host: "x"

The message may hold a path that the client chose (decoded), the referrer anything: whoever writes `, client: ` into
either must not put another's address into the event.
"""

import re
from typing import Final

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.ends import put_end
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.modsecurity import explain, is_modsecurity
from sakimori_collector.domain.requests import put_host, put_request_line, put_text
from sakimori_collector.domain.timestamps import time_of

_LINE: Final = re.compile(
    r"(?:[\w.-]{1,255} nginx(?:\[\d{1,10}\])?: ){0,2}(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) "
    r"\[(\w{1,10})\] (\d{1,10})#(\d{1,10}): (?:\*(\d{1,20}) )?(.*+)\Z",
    re.DOTALL,
)
_LONGEST: Final = 8192
"""nginx itself cuts at 2,048 bytes (NGX_MAX_ERROR_STR)."""
_CLIENT: Final = re.compile(r", client: ([0-9A-Fa-f:.]{2,45}|unix:)(?=, |\Z)")
_SERVER: Final = re.compile(r", server: ([^,]{0,255})")
_REQUEST: Final = re.compile(r', request: "([^"]*+(?:"(?!, |\Z)[^"]*+)*+)"(?=, |\Z)')
_QUOTED: Final = {
    "nginx.error.upstream": re.compile(r', upstream: "([^"]*+)"'),
    "url.domain": re.compile(r', host: "([^"]*+)"'),
    "http.request.referrer": re.compile(r', referrer: "(.*)"\Z', re.DOTALL),
    "nginx.error.subrequest": re.compile(r', subrequest: "([^"]*+)"'),
    "user.name": re.compile(r', login: "([^"]*+)"'),
}
_MISMATCH: Final = re.compile(
    r'user "([^:]*?)"(?:: password mismatch| was not found in "|: no user/password was provided)'
)
"""A name in basic authentication has no colon (RFC 7617), so it cannot forge what comes behind it."""
_PAM: Final = re.compile(r"PAM: user '([^:]*?)' - not authenticated")
_PATH_FIRST: Final = (
    'open() "',
    '"',
    "stat() ",
    "directory index of ",
    "access forbidden",
    'realpath() "',
    'rename() "',
)
_ACTIONS: Final = (
    ("limiting requests", "rate-limited", "failure"),
    ("delaying request", "rate-delayed", "success"),
    ("limiting connections", "connections-limited", "failure"),
    ("access forbidden by rule", "access-denied", "failure"),
    ("SSL_do_handshake() failed", "tls-handshake-failed", "failure"),
    ("SSL_read() failed", "tls-failed", "failure"),
    ("client intended to send too large body", "request-too-large", "failure"),
    ("client sent invalid", "request-malformed", "failure"),
    ("open() ", "file-not-found", "failure"),
    ('"', "file-not-found", "failure"),
    ("directory index of ", "access-denied", "failure"),
    ("connect() failed", "upstream-failed", "failure"),
    ("upstream timed out", "upstream-failed", "failure"),
    ("no live upstreams", "upstream-failed", "failure"),
)


def _parse(line: str, reference: Reference) -> list[Record]:
    match = _LINE.match(line)
    if match is None:
        raise LineRejected("not a line of nginx's error log")
    written, level, pid, thread, connection, text = match.groups()
    time = time_of(written, reference)
    text = text[:_LONGEST]
    client = _client_of(text)
    message = text[: client.start()] if client is not None else text
    fields: Fields = {"event.category": "web", "event.outcome": "unknown"}
    _explain(fields, message)
    fields |= {"log.level": level, "process.pid": int(pid), "process.thread.id": int(thread), "message": message}
    if connection is not None:
        fields["nginx.error.connection_id"] = int(connection)
    if client is not None:
        put_end(fields, "source", client[1])
        _put_context(fields, text, client.end())
    return [(time, fields)]


def _client_of(text: str) -> re.Match[str] | None:
    """Find the client that nginx named, not one that a path or a referrer names; None where that cannot be told."""
    found = list(_CLIENT.finditer(text))
    if len(found) < 2 or len({canonical_ip(each[1]) for each in found}) == 1:
        return found[0] if found else None
    if not text.startswith(_PATH_FIRST):
        return found[0]
    referrer = text.find(', referrer: "')
    return found[-1] if referrer < 0 or found[-1].start() < referrer else None


def _put_context(fields: Fields, text: str, begin: int) -> None:
    server = _SERVER.match(text, begin)
    if server is not None:
        put_text(fields, "nginx.error.server", server[1])
    request = _REQUEST.search(text, begin)
    if request is not None:
        put_request_line(fields, request[1])
    for name, expression in _QUOTED.items():
        match = expression.search(text, request.end() if request is not None else begin)
        if match is not None and name not in fields:
            put_text(fields, name, match[1])
    put_host(fields, fields.get("url.domain"))


def _explain(fields: Fields, message: str) -> None:
    user = _MISMATCH.match(message) or _PAM.match(message)
    if user is not None:
        fields |= {"event.dataset": "nginx.auth", "event.category": "authentication", "event.action": "web_login"}
        fields |= {"event.outcome": "failure", "sakimori.auth.method": "password"}
        put_text(fields, "user.name", user[1])
    elif message.startswith('client login failed: "'):
        fields |= {"event.dataset": "nginx.auth", "event.category": "authentication", "event.action": "mail_login"}
        fields |= {"event.outcome": "failure"}
    elif is_modsecurity(message):
        fields |= explain(message)
    else:
        for beginning, action, outcome in _ACTIONS:
            if message.startswith(beginning):
                fields["event.action"], fields["event.outcome"] = action, outcome
                return


NGINX_ERROR: Final = Format("nginx.error", carried(_parse), lambda line, _: _LINE.match(line) is not None)
