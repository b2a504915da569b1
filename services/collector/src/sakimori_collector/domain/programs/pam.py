"""What PAM's modules say, in the name of the program that asked them (Linux-PAM, pam_sss, pam_krb5)."""

import re
from typing import Final

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT, compiled, explain
from sakimori_collector.domain.programs.program import Fields

_MODULE = re.compile(
    r"\(?(?P<module>pam_\w{1,32})\)?(?:\((?P<service>[^\s():]{1,64}):(?P<kind>\w{1,16})\))?(?:\[\d{1,10}\])?:? "
)
_BARE = "authentication failure; logname="
"""How pam_unix begins where it is the syslog tag itself that names it: `sshd(pam_unix)[1]: authentication failure`."""

_FAILED = re.compile(
    r"(?:authentication failure|\d{1,6} more authentication failures?);.{0,512}? ?ruser=(?P<ruser>\S*) "
    r"rhost=(?P<rhost>\S*)(?: +user=(?P<user>.{0,256}))?\s*\Z",
    re.DOTALL,
)

_PHRASES: Final = compiled(
    {
        ("session", "session_opened", "success"): (
            r"session opened for user (?P<user__name>[^\s(]{1,256})(?:\(uid=(?P<user__id>\d{1,10})\))?"
            r"(?: by (?P<pam__by>[^\s(]{0,256})\(uid=\d{1,10}\))?@rest",
        ),
        ("session", "session_closed", "unknown"): (r"session closed for user (?P<user__name>[^\s(]{1,256})@rest",),
        ("iam", "password_changed", "success"): (r"password changed for @user\s*",),
        ("authentication", "pam_success", "success"): (
            r"authentication success; .{0,512}?rhost=(?:@address)?(?: +user=@name)?",
            r"user '?@user'? granted access@rest",
        ),
        ("authentication", "pam_locked", "failure"): (
            r"Consecutive login failures for user @user account temporarily locked@rest",
            r"user @user \(\d{1,10}\) (?:has been locked|tally \d{1,10}, deny \d{1,10})@rest",
            r"user @user .{0,64}has time limit @rest",
            r"account @user has (?:expired|password expired)@rest",
            r"(?:Account|User account) (?:for )?@user (?:is )?locked@rest",
        ),
        ("authentication", "pam_failure", "failure"): (
            r"[Aa]uthentication failed for user @user@rest",
            r"user '@user' denied access@rest",
            r"authentication failure; user=@known (?:ruser|rhost)=@rest",
        ),
        ("authentication", "pam_remark", "unknown"): (
            r"check pass; user unknown",
            r"(?:User unknown|bad username \[.*)@rest",
            r"received for user @user: .*",
            r"user \[@known\] unknown@rest",
            r"unknown user @user@rest",
            r"auth could not identify password for \[@known\]@rest",
            r"conversation failed@rest",
        ),
    }
)


def explain_pam(message: str) -> Fields | None:
    """Say what a module of PAM means; None where the message is of none."""
    match = _MODULE.match(message)
    if match is None and not message.startswith(_BARE):
        return None
    if len(message) > MESSAGE_LIMIT:
        return None
    said = message[match.end() :] if match is not None else message
    fields = _failure(said) or explain(said, _PHRASES)
    if fields is None:
        fields = {"event.category": "host", "event.action": "pam_other", "event.outcome": "unknown"}
    if match is not None:
        fields["pam.module"] = match["module"]
        if match["service"]:
            fields["pam.service"] = match["service"]
    return fields


def _failure(said: str) -> Fields | None:
    match = _FAILED.match(said)
    if match is None:
        return None
    fields: Fields = {
        "event.category": "authentication",
        "event.action": "pam_failure",
        "event.outcome": "failure",
    }
    user = match["user"] or match["ruser"]
    if user:
        fields["user.name"] = user.rstrip()
    if match["rhost"]:
        put_source(fields, match["rhost"])
    return fields
