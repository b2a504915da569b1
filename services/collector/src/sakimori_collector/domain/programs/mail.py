"""Other mail servers: Exim, Sendmail, Courier, UW IMAP, Cyrus, Perdition: who logged in or was refused."""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT, Phrase, compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_EXIM_HOST = (
    r"(?:H=)?(?:(?P<source__domain>[\w.-]{1,255}) )?(?:\([^)]{0,255}\) )?"
    r"\[(?P<address>[^\]\s]{1,64})\](?::(?P<source__port>\d{1,5}))?"
)
_EXIM_MORE = r"(?: (?:I=\[[^\]]{1,64}\](?::\d{1,5})?|[A-Z]{1,4}=(?:\"[^\"]{0,512}\"|\S{0,512}(?<!:))))*+"
_EXIM_BEGINNING = re.compile(
    r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})? )?(?:\[\d{1,10}\] )?"
    r"(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} )?"
)

_ENVELOPE: Final = {
    "email.from.address": re.compile(r" (?:F=|sender verify (?:fail|defer) for )<([^<>\s]{1,320})>"),
    "email.to.address": re.compile(r" RCPT <([^<>\s]{1,320})>"),
}

EXIM_SAID: Final = compiled(
    {
        ("authentication", "smtp_login", "failure"): (
            rf"(?P<sakimori__auth__method>[\w-]{{1,64}}) authenticator failed for {_EXIM_HOST}{_EXIM_MORE}: 535 "
            rf"Incorrect authentication data"
            r"(?: \(set_id=@name\))?",
            rf"(?P<sakimori__auth__method>[\w-]{{1,64}}) authenticator failed for {_EXIM_HOST}{_EXIM_MORE}: @rest",
        ),
        ("email", "smtp_rejected", "failure"): (
            rf"{_EXIM_HOST}{_EXIM_MORE} (?:temporarily )?(?:rejected|dropped|refused) .*",
            rf"{_EXIM_HOST}{_EXIM_MORE} sender verify (?:fail|defer) @rest",
            rf"{_EXIM_HOST}{_EXIM_MORE} (?:relay not permitted|AUTH command used|SMTP protocol (?:error|"
            rf"synchronization error)).*",
            rf"(?:rejected|refused) (?:EHLO|HELO|connection|RCPT|MAIL)[^\[]{{0,256}} from {_EXIM_HOST}@rest",
            rf"rejected (?:EHLO|HELO) from {_EXIM_HOST}@rest",
            rf"SMTP call from {_EXIM_HOST}{_EXIM_MORE} dropped: .*",
            rf"SMTP protocol (?:synchronization )?error .{{0,256}}?{_EXIM_HOST}@rest",
            rf"SMTP connection from {_EXIM_HOST}{_EXIM_MORE} closed by DROP in ACL@rest",
            rf"Connection from {_EXIM_HOST}{_EXIM_MORE} (?:refused|rejected).*",
        ),
        ("network", "smtp_probe", "unknown"): (
            rf"no MAIL in (?:SMTP|ESMTP) connection from {_EXIM_HOST}@rest",
            r"no (?:host name|IP address) found for @rest",
            rf"unexpected disconnection while reading SMTP command from {_EXIM_HOST}@rest",
        ),
    }
)


def explain_exim_text(text: str) -> Fields:
    """Say what Exim means; `text` may begin with its own time and the message's id."""
    beginning = _EXIM_BEGINNING.match(text)
    fields = said(text[beginning.end() :].rstrip() if beginning else text, EXIM_SAID) or other("email", "mail_other")
    for name, expression in _ENVELOPE.items():
        match = expression.search(text[:MESSAGE_LIMIT])
        if match is not None:
            fields[name] = match[1]
    return fields


_RELAY = r"(?:(?P<source__domain>[^\s\[,]{1,255}) )?\[(?:IPv6:)?(?P<address>[^\]\s]{1,64})\](?: \(may be forged\))?"
_QUEUE = r"(?:[0-9A-Za-z]{8,20}: )?"

_SENDMAIL: Final = compiled(
    {
        ("authentication", "smtp_login", "failure"): (
            rf"{_QUEUE}{_RELAY}: possible SMTP attack: command=AUTH@rest",
            rf"{_QUEUE}AUTH failure \([^)]{{1,64}}\): .*?relay={_RELAY}",
        ),
        ("authentication", "smtp_login", "success"): (
            rf"{_QUEUE}AUTH=server, relay={_RELAY}, authid=(?P<user__name>[^,]{{1,256}}), mech="
            rf"(?P<sakimori__auth__method>[^,]{{1,32}})@rest",
        ),
        ("email", "smtp_rejected", "failure"): (
            rf"{_QUEUE}ruleset=check_\w{{1,32}}, .{{0,1024}}?relay={_RELAY},? reject=.*",
            rf"{_QUEUE}(?:lost input channel from )?{_RELAY} did not issue @rest",
            rf"{_QUEUE}{_RELAY}: possible SMTP attack: @rest",
            rf"{_QUEUE}rejecting commands from {_RELAY}@rest",
        ),
    }
)

_IMAP: Final = compiled(
    {
        ("authentication", "mail_login", "failure"): (
            r"LOGIN FAILED, (?:user=(?P<user__name>.{0,256}?), |method=(?P<sakimori__auth__method>[\w-]{1,32}), "
            r")?ip=\[@address\](?:, port=\[@port\])?@rest",
            r"Login (?:excessive login failures|failed|failure|disabled).{0,64}? user=@known(?: auth=.{0,256}?)? "
            r"host=(?P<source__domain>\S{0,255}) ?"
            r"\[(?P<address>[^\]\s]{1,64})\]@rest",
            r"badlogin: (?:(?P<source__domain>[^\s\[]{1,255}) ?)?\[(?P<address>[^\]\s]{1,64})\] "
            r"(?P<sakimori__auth__method>[\w-]{1,32}) .*",
            r"Auth: @address:@port->.{0,128} .*(?:failed|failure).*",
        ),
        ("authentication", "mail_login", "success"): (
            r"LOGIN, user=@known, ip=\[@address\](?:, port=\[@port\])?@rest",
            r"login: (?:(?P<source__domain>[^\s\[]{1,255}) ?)?\[(?P<address>[^\]\s]{1,64})\] "
            r"(?P<user__name>\S{1,256}) .*",
            r"(?:Login|Authenticated) user=@known(?: auth=.{0,256}?)? host=(?P<source__domain>\S{0,255}) ?\["
            r"(?P<address>[^\]\s]{1,64})\]@rest",
        ),
        ("network", "mail_connected", "unknown"): (r"Connection, ip=\[@address\](?:, port=\[@port\])?",),
        ("network", "mail_closed", "unknown"): (r"(?:LOGOUT|DISCONNECTED|TIMEOUT),.{0,256} ip=\[@address\]@rest",),
    }
)


def _explained(line: SyslogLine, phrases: Sequence[Phrase]) -> Fields:
    return explain_pam(line.message) or said(line.message.rstrip(), phrases) or other("email", "mail_other")


def explain_exim(line: SyslogLine) -> Fields:
    """Say what Exim means."""
    return explain_exim_text(line.message)


def explain_sendmail(line: SyslogLine) -> Fields:
    """Say what Sendmail means."""
    return _explained(line, _SENDMAIL)


def explain_imap(line: SyslogLine) -> Fields:
    """Say what Courier's, Washington's or Cyrus's servers mean."""
    return _explained(line, _IMAP)


EXIM = Program("exim.mail", frozenset({"exim", "exim4"}), explain_exim, logins="exim.auth")
SENDMAIL = Program(
    "sendmail.mail",
    frozenset({"sendmail", "sm-mta", "sm-acceptingconnections", "sm-msp-queue"}),
    explain_sendmail,
    logins="sendmail.auth",
)
_IMAP_NAMES: Final = (
    "imapd", "imapd-ssl", "pop3d", "pop3d-ssl", "courierpop3login", "courierimaplogin", "couriertls", "ipop3d", "imap",
    "pop3", "imaps", "pop3s", "courier-imapd", "courier-pop3d", "imaplogin", "pop3login", "couriersmtpd", "*/imap",
    "*/pop3", "*/imaps", "*/pop3s", "sieve", "timsieved", "*/sieve", "courieresmtpd",
)  # fmt: skip
IMAP = Program("imap.mail", frozenset(_IMAP_NAMES), explain_imap, logins="imap.auth")
