"""OpenSSH's server: who knocked, and what became of it."""

import re

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.programs.openssh_messages import Meaning, meaning_of
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

PROCESSES = frozenset({"sshd", "sshd-session", "sshd-auth"})
"""sshd is one program until 9.7, two from 9.8 and three from 10.0 on."""
MESSAGE_LIMIT = 8192
"""sshd writes 1,024 characters a message (MSGBUFSIZ); beyond this nothing is taken apart."""

_PREFIXES = ("error: ", "fatal: ", "info: ")


def explain(line: SyslogLine) -> Fields:
    """Say what a message means; one that is not known has the action `ssh_other`."""
    said = line.message.rstrip().removesuffix(" [preauth]")
    if said.startswith(_PREFIXES):
        said = said.partition(": ")[2]
    found = meaning_of(said) if len(said) <= MESSAGE_LIMIT else None
    if found is None:
        return {"event.category": "authentication", "event.action": "ssh_other", "event.outcome": "unknown"}
    return _fields(*found)


def _fields(meaning: Meaning, match: re.Match[str]) -> Fields:
    fields: Fields = {
        "event.category": "authentication",
        "event.action": meaning.action,
        "event.outcome": meaning.outcome,
    }
    for name, value in zip(meaning.names, match.groups(), strict=True):
        if not value:
            continue
        if name == "source.ip":
            put_source(fields, value)
        else:
            fields[name] = int(value) if name == "source.port" else value
    if meaning.may_go_on and _goes_on(str(fields["sakimori.auth.method"]), match[0]):
        fields["event.action"], fields["event.outcome"] = "ssh_method_refused", "unknown"
    return fields


def _goes_on(method: str, message: str) -> bool:
    """Whether the login simply goes on with the next method.

    Agents offer key after key, and every client begins with `none` (RFC 4252, 5.2): counting those would make a
    password guesser of everybody with five keys.
    """
    return method == "none" or (method == "publickey" and " for invalid user " not in message)


OPENSSH = Program("openssh.auth", PROCESSES, explain)
