"""Postfix: who wanted to send mail or log in, and what was refused (2.x and 3.x: smtpd, postscreen, anvil)."""

import re
from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_CLIENT = r"(?P<source__domain>[^\s\[]{1,255})\[(?P<address>[^\]\s]{1,64})\](?::(?P<source__port>\d{1,5}))?"
_PEER = r"\[(?P<address>[^\]\s]{1,64})\](?::(?P<source__port>\d{1,5}))?"
_QUEUE_ID = re.compile(r"(NOQUEUE|[0-9A-F]{5,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}): ")
_REPLY = r"(?P<postfix__reply__code>\d{3}) (?:(?P<postfix__reply__enhanced>\d\.\d{1,3}\.\d{1,3}) )?"
_ATTRIBUTE = re.compile(
    r"(?:\A|[,;]? )(client|from|to|helo|proto|sasl_method|sasl_username|relay|status|message-id|"
    r"size)=(<[^<>]{0,1024}>|[^\s,;]{0,1024})"
)
_FIELD_OF: Final = {
    "from": "email.from.address",
    "to": "email.to.address",
    "helo": "postfix.helo",
    "sasl_method": "sakimori.auth.method",
    "sasl_username": "user.name",
    "relay": "postfix.relay",
    "status": "postfix.status",
    "message-id": "email.message_id",
}

_SMTPD: Final = compiled(
    {
        ("authentication", "smtp_login", "failure"): (
            rf"(?:warning: )?{_CLIENT}: SASL (?P<sakimori__auth__method>[\w-]{{1,32}}) authentication failed"
            r"(?!:? (?:Connection lost|Invalid authentication mechanism)).*?(?:,? sasl_username="
            r"(?P<user__name>\S{1,256}))?",
            rf"warning: {_CLIENT}: SASL authentication failed@rest",
        ),
        ("authentication", "smtp_login_broken", "unknown"): (
            rf"(?:warning: )?{_CLIENT}: SASL (?P<sakimori__auth__method>[\w-]{{1,32}}) authentication failed: .*",
        ),
        ("email", "smtp_rejected", "failure"): (
            rf"(?:reject|reject_warning|discard|milter-reject|proxy-reject): (?P<postfix__stage>[\w-]{{1,32}}(?: "
            rf"command)?) from {_CLIENT}: "
            rf"{_REPLY}(?P<postfix__reply__text>.*)",
            rf"(?:reject|milter-reject|proxy-reject): (?P<postfix__stage>[\w-]{{1,32}}) from {_CLIENT}: .*",
            rf"(?:reject): (?P<postfix__stage>[\w-]{{1,32}}) from {_PEER}: {_REPLY}(?P<postfix__reply__text>.*)",
        ),
        ("email", "smtp_misused", "failure"): (
            rf"(?:warning: )?(?:improper command pipelining|too many errors|non-SMTP command) (?:after "
            rf"(?P<postfix__stage>[\w-]{{1,32}}) )?from {_CLIENT}@rest",
            rf"(?:warning: )?(?:improper command pipelining|too many errors|PIPELINING|PREGREET \d{{1,9}}|HANGUP|"
            rf"BARE NEWLINE|NON-SMTP COMMAND|"
            rf"COMMAND (?:TIME|COUNT|LENGTH) LIMIT|DNSBL rank \d{{1,9}}) ?(?:after [\d.]{{1,12}} |for )?(?:from "
            rf")?{_PEER}@rest",
            rf"warning: Connection (?:concurrency|rate) limit exceeded: \d{{1,9}} from {_CLIENT}@rest",
            rf"warning: (?:Recipient address|Message delivery|Connection|AUTH command) (?:rate|concurrency) limit "
            rf"exceeded: \d{{1,9}} from {_CLIENT}@rest",
        ),
        ("network", "smtp_lost", "unknown"): (
            rf"(?:lost connection|timeout) after (?P<postfix__stage>[\w-]{{1,32}})(?: \(.{{0,128}}\))? from "
            rf"{_CLIENT}@rest",
            rf"SSL_accept error from {_CLIENT}: .*",
        ),
        ("network", "smtp_connected", "unknown"): (
            rf"connect from {_CLIENT}",
            rf"CONNECT from {_PEER}(?: to @rest)?",
        ),
        ("network", "smtp_disconnected", "unknown"): (
            rf"disconnect from {_CLIENT}(?: (?=.*auth=0/(?P<postfix__auth__attempts>\d{{1,6}}))?@rest)?",
            rf"DISCONNECT {_PEER}",
        ),
        ("network", "smtp_passed", "unknown"): (
            rf"(?:PASS (?:NEW|OLD)|(?:ALLOW|DENY|WHITE|BLACK)LISTED(?: .*)?) {_PEER}",
        ),
        ("network", "smtp_tls", "unknown"): (
            rf"(?:Anonymous|Trusted|Untrusted|Verified) TLS connection established (?:from|to) {_CLIENT}: @rest",
        ),
    }
)
_STATUS: Final = {"sent": "success", "bounced": "failure", "deferred": "failure", "expired": "failure"}
_DAEMONS: Final = (
    "smtpd", "smtp", "qmgr", "cleanup", "pickup", "local", "virtual", "bounce", "anvil", "postscreen", "master",
    "error", "tlsproxy", "trivial-rewrite", "lmtp", "pipe", "submission", "smtps", "proxymap", "verify", "scache",
    "dnsblog", "policyd-spf", "postfix-script", "postqueue", "sendmail",
)  # fmt: skip


def explain(line: SyslogLine) -> Fields:
    """Say what a daemon of Postfix means. Refused mail is `smtp_rejected`, a wrong password `smtp_login`."""
    pam = explain_pam(line.message)
    if pam is not None:
        return pam
    message = line.message.rstrip()
    queue = _QUEUE_ID.match(message)
    text = message[queue.end() :] if queue is not None else message
    fields = said(text, _SMTPD) or _of_attributes(text)
    if queue is not None and queue[1] != "NOQUEUE":
        fields["postfix.queue_id"] = queue[1]
    if fields.get("source.domain") == "unknown":
        del fields["source.domain"]
    if fields["event.action"] == "smtp_rejected":
        _put_attributes(fields, text[text.rfind("; ") + 2 :])
    return fields


def _of_attributes(text: str) -> Fields:
    """What the queue's own daemons say: `to=<..>, relay=.., status=sent (..)`, `client=..., sasl_username=...`."""
    fields = other("email", "mail_other")
    _put_attributes(fields, text[:4096])
    client = re.match(rf"client={_CLIENT}", text)
    if client is not None:
        fields["source.domain"], fields["source.ip"] = client[1], client[2]
        fields["event.action"] = "mail_accepted"
        if "user.name" in fields:
            fields |= {"event.category": "authentication", "event.action": "smtp_login", "event.outcome": "success"}
    status = fields.get("postfix.status")
    if isinstance(status, str) and status in _STATUS:
        fields["event.action"], fields["event.outcome"] = "mail_delivered", _STATUS[status]
    return fields


def _put_attributes(fields: Fields, text: str) -> None:
    for name, value in _ATTRIBUTE.findall(text):
        field = _FIELD_OF.get(name)
        bare = value.strip("<>")
        if field is not None and bare:
            fields[field] = bare


POSTFIX = Program(
    "postfix.mail", frozenset({"postfix", *(f"*/{name}" for name in _DAEMONS)}), explain, logins="postfix.auth"
)
