"""Daemons of whom only logins matter: Dropbear, Webmin, Proxmox, lfd, RouterOS, scanlogd, ...; a phrase or two each."""

from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import compiled
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields

_PHRASES: Final = compiled(
    {
        ("authentication", "login", "failure"): (
            r"(?:[Bb]ad (?:PAM )?password attempt|[Ll]ogin attempt with bad username) for '?@known'? from "
            r"@address:@port",
            r"[Ll]ogin attempt for nonexistent user(?: '@known')? from @address:@port",
            r"[Ll]ogin attempt for nonexistent user(?: '@known')? from @address",
            r"[Ee]xit before auth.{0,64}(?:\(user '(?P<user__name>.{0,256}?)', \d{1,6} fails\))?.{0,64}: Max auth "
            r"tries reached - user '.{0,256}' from @address:@port\s*",
            r"(?:Non-existent|Invalid) login as @known from @address",
            r"Security alert: Host @address blocked after \d{1,6} failed logins@rest",
            r"authentication failure; rhost=@address(?: user=@known)?(?: msg=.*)?",
            r"(?:system,error,critical )?login failure for user @known from @address via @rest",
            r"\[@known\] failed to login from @address:@port",
            r"\((?P<network__protocol>\w{1,16})\) [Ff]ailed (?:SSH|FTP|SMTP AUTH|IMAP|POP3|cPanel|webmin|Suhosin|"
            r"mod_security|distributed \w{1,16}) ?login "
            r"from @address(?: \(.*)?",
            r"(?:\[[\w :.-]{1,64}\] )*(?:Authentication request for @known has been denied|Auth: Auth-Failure ip "
            r"@address username '(?P<user__name>.{0,256})').*?"
            r"(?:\(IP: \"?(?P<address>[^\s,;()<>\[\]'\"]{1,255})\"?\))?\.?",
        ),
        ("authentication", "login", "success"): (
            r"(?:Password|Pubkey|PAM password) auth succeeded for '@known'(?: with .{0,256})? from @address:@port",
            r"<@known> successful auth for user '.*'",
            r"(?:system,info,account )?user @known logged in from @address via @rest",
        ),
        ("network", "port_scan", "unknown"): (
            r"@address(?::\d{1,5})? to (?P<destination__ip>[0-9a-fA-F.:]{2,45}) ports \d{1,5}, .*",
        ),
        ("network", "tarpit_connection", "unknown"): (r"(?:ACCEPT|CLOSE) host=@address port=@port @rest",),
    }
)


def explain_login(message: str) -> Fields | None:
    """Say who logged in or was refused, by PAM or one of these daemons; None where the message is of none of them."""
    return explain_pam(message) or said(message.rstrip(), _PHRASES)
