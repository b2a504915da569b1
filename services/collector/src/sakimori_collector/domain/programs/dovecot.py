"""Dovecot: who logged in to IMAP, POP3, ManageSieve or submission, and who tried (Dovecot 1.x to 2.4)."""

import re
from typing import Final

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT, compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_LOGIN = re.compile(
    r"(?:dovecot: )?(?P<service>imap|pop3|managesieve|sieve|submission|lmtp|imap-urlauth)-login: (?:(?:Info|Debug|"
    r"Error|Warning|Notice): )?"
    r"(?P<said>.{1,1024}?)(?:: |, )(?P<rest>(?:user=<|method=|rip=|session=<).*)\Z",
    re.DOTALL,
)
"""`imap-login: Disconnected (auth failed, 2 attempts): user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS`."""
_ATTEMPTS = re.compile(r"\(auth failed, (\d{1,6}) attempts")
_FAILED: Final = (
    "(auth failed", "(tried to use disallowed plaintext auth", "(tried to use unsupported auth", "proxy dest auth fail",
    "(auth process communication", "(internal failure", "Authentication failed", "(disconnected while auth",
    "Maximum number of connections", "Login failed",
)  # fmt: skip
_PAIR = re.compile(r"(?:\A|, )(user|method|rip|lip|rport|lport|session|mpid)=(<[^<>]{0,1024}>|[^,\s]{0,256})")
_PREFIX = re.compile(
    r"(?:dovecot: )?(?:(?:Info|Error|Warning|Debug|Notice): )?(?:auth(?:-worker)?(?:\([^)]{1,64}\))?: )?(?:(?:Info|"
    r"Error|Warning|Debug|Notice): )?"
    r"(?:conn unix:\S{1,128} \(pid=\d{1,10},uid=\d{1,10}\): )?(?:auth-worker<\d{1,10}>: )?(?:(?:Info|Error|Warning|"
    r"Debug): )?"
)
_WHO = r"(?P<dovecot__backend>[a-z][\w-]{1,32})\(@known,@address(?:,(?:master|<[^>]{0,128}>|[^)]{0,128}))*+\): "

_BACKEND: Final = compiled(  # what is in parentheses is not kept as the reason: it may hold the password that was given
    {
        ("authentication", "mail_login", "failure"): (
            rf"{_WHO}pam_authenticate\(\) failed: (?P<error__message>User not known|Authentication failure|"
            r"Permission denied|Account expired|Maximum)@rest",
            rf"{_WHO}(?P<error__message>(?:[Uu]nknown user|[Pp]assword mismatch|[Ii]nvalid (?:password|credentials)|"
            r"[Cc]redentials mismatch|No password|Empty (?:user|pass)word|Authentication failure|Login not allowed))"
            r"@rest",
            r"(?:ldap|sql|pam|passwd-file|static|lua)\(@known,@address\): @rest failed",
            r"login: Authentication failed for @known .*",
        ),
        ("authentication", "mail_login_remark", "unknown"): (rf"{_WHO}.*",),
    }
)
_NAMES: Final = frozenset(
    {
        "dovecot",
        "dovecot-auth",
        "auth",
        "auth-worker",
        "imap-login",
        "pop3-login",
        "managesieve-login",
        "submission-login",
    }
)


def explain(line: SyslogLine) -> Fields:
    """Say who logged in, or did not: `mail_login`, one for each connection that ends or user that is refused."""
    message = line.message.rstrip()
    if len(message) > MESSAGE_LIMIT:
        return other("email", "dovecot_other")
    if line.process.endswith("-login"):
        message = f"{line.process}: {message}"
    match = _LOGIN.match(message)
    if match is not None:
        return _login(match)
    text = message[_found.end() :] if (_found := _PREFIX.match(message)) else message
    return explain_pam(text) or said(text, _BACKEND) or other("email", "dovecot_other")


def _login(match: re.Match[str]) -> Fields:
    text = match["said"]
    fields = other("authentication", "mail_login_aborted")
    fields["network.protocol"] = match["service"]
    if text == "Login" or (match["rest"] and "Login: user=" in match[0][:64]):
        fields["event.action"], fields["event.outcome"] = "mail_login", "success"
    elif any(sign in text for sign in _FAILED):
        fields["event.action"], fields["event.outcome"] = "mail_login", "failure"
    attempts = _ATTEMPTS.search(text)
    if attempts is not None:
        fields["dovecot.attempts"] = int(attempts[1])
    _put_pairs(fields, match["rest"])
    return fields


def _put_pairs(fields: Fields, rest: str) -> None:
    for name, value in _PAIR.findall(rest):
        bare = value.removeprefix("<").removesuffix(">")
        if not bare:
            continue
        if name == "rip":
            put_source(fields, bare)
        elif name == "lip":
            fields["destination.ip"] = bare
        elif name in {"rport", "lport"} and bare.isdecimal():
            fields["source.port" if name == "rport" else "destination.port"] = int(bare)
        elif name in _FIELD_OF:
            fields[_FIELD_OF[name]] = bare


_FIELD_OF: Final = {"user": "user.name", "method": "sakimori.auth.method", "session": "dovecot.session"}

DOVECOT = Program("dovecot.mail", _NAMES, explain, logins="dovecot.auth")
