"""OpenSSH's authentication log, as syslog writes it (auth.log, secure, journald's short output)."""

import re

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.formats.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.openssh_messages import Meaning, meaning_of
from sakimori_collector.domain.formats.syslog import SyslogLine, read_syslog
from sakimori_common.contracts import FieldValue

PROCESSES = frozenset({"sshd", "sshd-session", "sshd-auth"})
"""sshd is one program until 9.7, two from 9.8 and three from 10.0 on."""
MAX_REPEATS = 100
"""So many events at most come of one "message repeated"; twenty times what any rule here counts to."""
MESSAGE_LIMIT = 8192
"""sshd writes 1,024 characters a message (MSGBUFSIZ); beyond this nothing is taken apart."""

_REPEATED = re.compile(r"message repeated (\d{1,9}) times?: \[ ?(.*)\]\s*\Z", re.DOTALL)
_PREFIXES = ("error: ", "fatal: ", "info: ")
_BEGINNING = re.compile(
    r"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} (?:[ \d]\d|\d) \d\d:\d\d:\d\d|\d{4}-\d\d-\S{10,30}) \S{1,255} "
    r"(?:sshd|sshd-session|sshd-auth)[:\[( ]"
)


def parse_openssh(line: str, reference: Reference) -> list[Record]:
    """Read one line. Raises LineRejected for whatever sshd did not write."""
    syslog = read_syslog(line, reference)
    if syslog.process not in PROCESSES:
        raise LineRejected(f"not a line of sshd: {syslog.process[:64]}")
    repeated = _REPEATED.match(syslog.message) if syslog.message.startswith("message repeated ") else None
    if repeated is None:
        return [(syslog.time, _fields(syslog, syslog.message))]
    times = int(repeated[1])
    fields = _fields(syslog, repeated[2])
    fields["sakimori.log.repeated"] = times
    return [(syslog.time, fields if number == 0 else dict(fields)) for number in range(min(times, MAX_REPEATS))]


def _fields(syslog: SyslogLine, message: str) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {
        "event.category": "authentication",
        "event.action": "ssh_other",
        "event.outcome": "unknown",
        "host.hostname": syslog.host,
        "process.name": syslog.process,
        "message": message,
    }
    if syslog.pid is not None:
        fields["process.pid"] = int(syslog.pid)
    said = message.rstrip().removesuffix(" [preauth]")
    if said.startswith(_PREFIXES):
        said = said.partition(": ")[2]
    found = meaning_of(said) if len(said) <= MESSAGE_LIMIT else None
    if found is not None:
        _explain(fields, *found)
    return fields


def _explain(fields: dict[str, FieldValue], meaning: Meaning, match: re.Match[str]) -> None:
    groups = match.groupdict()
    fields["event.action"] = meaning.action
    fields["event.outcome"] = meaning.outcome
    user = groups.get("user") or groups.get("ruser")
    if user:
        fields["user.name"] = user
    address = groups.get("address")
    if address:
        put_source(fields, address)
    port = groups.get("port")
    if port:
        fields["source.port"] = int(port)
    method = groups.get("method")
    if method:
        fields["sakimori.auth.method"] = method
        if meaning.outcome == "failure" and _goes_on(method, match[0]):
            fields["event.action"], fields["event.outcome"] = "ssh_method_refused", "unknown"


def _goes_on(method: str, message: str) -> bool:
    """Whether the login simply goes on with the next method.

    Agents offer key after key, and every client begins with `none` (RFC 4252, 5.2): counting those would make a
    password guesser of everybody with five keys.
    """
    return method == "none" or (method == "publickey" and " for invalid user " not in message)


def _recognises(line: str, path: str) -> bool:
    return _BEGINNING.match(line) is not None


OPENSSH_AUTH = Format("openssh.auth", parse_openssh, _recognises)
