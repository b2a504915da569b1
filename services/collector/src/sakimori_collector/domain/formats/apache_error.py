"""Apache's error log, of 2.2 and of 2.4 (https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat).

    [Fri Jan 16 01:59:58.123456 2026] [auth_basic:error] [pid 4711:tid 9] [client 192.0.2.7:50000] AH01617: <message>
    [Fri Jan 16 01:59:58 2026] [error] [client 192.0.2.7] <message>, referer: https://...

All that the client chose stands behind its address.
"""

import re
from typing import Final

from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.ends import put_host_port
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.modsecurity import explain, is_modsecurity
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.requests import put_text
from sakimori_collector.domain.text import unescape
from sakimori_collector.domain.timestamps import time_of

_TIME: Final = r"\[((?:[A-Z][a-z]{2} ){2}[ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4})\] "
_LEVEL: Final = r"\[(?:([a-z0-9_]{0,32}):)?(emerg|alert|crit|error|warn|notice|info|debug|trace[1-8])\]"
_LINE: Final = re.compile(
    rf"(?:{_TIME})?{_LEVEL}(?: \[pid (\d{{1,10}})(?::tid (\d{{1,20}}))?\])?"
    r"((?: [\w.-]{1,64}\(\d{1,6}\):)?(?: \(\d{1,6}\)[^:\[\]]{1,128}:)?)"
    r"(?: \[(?:client|remote) (\[[^\]\s]{1,64}\]:\d{1,5}|[^\]\s]{1,80})\])? ?(.*+)\Z",
    re.DOTALL,
)
_LONGEST: Final = 16_384
"""Apache cuts at 8,192 bytes (MAX_STRING_LEN)."""
_CODE: Final = re.compile(r"(?:[\w.-]{1,64}: )?(AH\d{5}): ")
_REFERRER: Final = re.compile(r", referer: (\S{1,8192})\Z")
_USER: Final = (
    re.compile(r"user ([^:]*?) not found: "),
    re.compile(r"user ([^:]*?): authentication failure for "),
    re.compile(r"user ([^:]*?): password mismatch: "),
)
_REALM: Final = "' in realm `"
_DIGEST: Final = re.compile(
    r"(?:Digest: )?(?:invalid nonce|unknown algorithm|realm mismatch|nonce .{0,99}mismatch|invalid qop)"
)
_ACTIONS: Final = (
    ("client denied by server configuration", "access-denied"),
    ("File does not exist", "file-not-found"),
    ("script not found or unable to stat", "file-not-found"),
    ("stderr from", "script-failed"),
    ("script '", "file-not-found"),
    ("Invalid method in request", "request-malformed"),
    ("Invalid URI in request", "request-malformed"),
    ("invalid URI path", "request-malformed"),
    ("request failed", "request-malformed"),
    ("Directory index forbidden", "access-denied"),
    ("Symbolic link not allowed", "access-denied"),
)


def _parse(line: str, reference: Reference) -> list[Record]:
    match = _LINE.match(line)
    if match is None:
        raise LineRejected("not a line of Apache's error log")
    written, module, level, pid, thread, origin, client, text = match.groups()
    fields: Fields = {"event.category": "web", "event.outcome": "unknown", "log.level": level}
    if written is None:
        fields[OF_ARRIVAL] = True
    time = reference.now if written is None else time_of(written, reference)
    for name, value in (("process.pid", pid), ("process.thread.id", thread)):
        if value is not None:
            fields[name] = int(value)
    put_text(fields, "apache.error.module", module)
    if client is not None:
        # 2.4 always has a port, behind a bare colon also where the address is IPv6; 2.2 has none.
        host, _, port = client.rpartition(":")
        has_port = pid is not None and client.count(":") > 1 and client[:1] != "["
        put_host_port(fields, "source", f"[{host}]:{port}" if has_port else client)
    fields["message"] = unescape((origin.lstrip() + " " + text).lstrip() if origin else text)
    _explain(fields, unescape(text[:_LONGEST]))
    return [(time, fields)]


def _explain(fields: Fields, text: str) -> None:
    if is_modsecurity(text):
        fields |= explain(text)
        return
    referrer = _REFERRER.search(text)
    if referrer is not None:
        put_text(fields, "http.request.referrer", referrer[1])
        text = text[: referrer.start()]
    code = _CODE.match(text)
    if code is not None:
        fields["event.code"] = code[1]
        text = text[code.end() :]
    user = _user_of(text)
    if user is not None or _DIGEST.match(text):
        fields |= {"event.dataset": "apache.auth", "event.category": "authentication", "event.action": "web_login"}
        fields |= {"event.outcome": "failure", "sakimori.auth.method": "password"}
        put_text(fields, "user.name", user)
        return
    for beginning, action in _ACTIONS:
        if text.startswith(beginning):
            fields["event.action"], fields["event.outcome"] = action, "failure"
            return


def _user_of(text: str) -> str | None:
    """Name who failed to log in; None where nobody did."""
    if text.startswith("user `"):
        end = text.find(_REALM)
        is_refused = end > 0 and any(verdict in text[end:] for verdict in ("' not found: ", "' denied by provider: "))
        return text[6:end] if is_refused else None
    return next((found[1] for found in (each.match(text) for each in _USER) if found is not None), None)


APACHE_ERROR: Final = Format(
    "apache.error", carried(_parse), lambda line, _: line[:1] == "[" and _LINE.match(line) is not None
)
