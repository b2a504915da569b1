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
            r"[Ee]xit before auth \(user '@known', \d{1,6} fails\): Max auth tries reached - user '.{0,256}' "
            r"from @address:@port\s*",
            r"[Ee]xit before auth from <@address:@port>: \(user '@known', \d{1,6} fails\): Max auth tries @rest",
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
            r"do_auth +: auth failure: \[user=@known\] .*",
            r"FAIL: (?P<service__name>[\w./-]{1,64}) (?:address|libwrap|access_time|per_source_limit|service_limit) "
            r"from=@address",
            r"Auth: @address:@port->.{0,128} (?:protocol=\S{1,16} )?.{0,256}status=\"failed:@rest",
            r"Fatal Error .{0,256}authentication .{0,64}failed.{0,128} @address:@port->@rest",
            r"authentication failed: (?:no such user|can't map user name|password.{0,32}): @known - @address"
            r"(?:\(.*\))?",
            r"(?:error: )?(?:user denied|login failed): @known(?: \(.{1,64}\))? from @address",
            r"Authentication: FAILED :: User Name: @known :: Viewer Address: @address :: @rest",
            r"Host @address is not allowed to talk to us!@rest",
            r"(?:\S{1,64} \[\d{1,10}\]: )?SOGoRootPage Login from '@address' for user '@known' might not have "
            r"worked@rest",
            r"(?:error|warning),relay=@address,.{0,512}(?:535 |Authentication failed|User unknown)@rest",
            r"(?:Failed|Invalid) (?:login|password)(?: attempt)?(?: for(?: user)?:? '?@known'?)? from (?:IP )?"
            r"(?:address )?@address\.?",
            r"Login failed(?: for| user)?:? '?@known'? \(?(?:Remote IP|from):? '?@address'?\)?\.?",
        ),
        ("authentication", "login", "success"): (
            r"(?:Password|Pubkey|PAM password) auth succeeded for '@known'(?: with .{0,256})? from @address:@port",
            r"<@known> successful auth for user '.*'",
            r"(?:system,info,account )?user @known logged in from @address via @rest",
        ),
        ("network", "port_scan", "unknown"): (
            r"@address(?::\d{1,5})? to (?P<destination__ip>[0-9a-fA-F.:]{2,45}) ports \d{1,5}, .*",
            r"attackalert: (?:Connect|TCP .{1,64}scan|UDP scan) from host: [^\s/]{1,255}/@address to (?:TCP|UDP) "
            r"port: (?P<destination__port>\d{1,5})@rest",
        ),
        ("network", "tarpit_connection", "unknown"): (r"(?:ACCEPT|CLOSE) host=@address port=@port @rest",),
    }
)


_SIGNS: Final = (
    "ogin", "uth", "assword", "FAIL", "denied", "logged in", "attackalert", "not allowed", ",relay=", " ports ",
    "host=",
)  # fmt: skip
"""Every phrase has one of these; most messages of other programs have none, and are done with at once."""


def explain_login(message: str) -> Fields | None:
    """Say who logged in or was refused, by PAM or one of these daemons; None where it is of none of them."""
    fields = explain_pam(message)
    if fields is not None:
        return fields
    return said(message.rstrip(), _PHRASES) if any(sign in message for sign in _SIGNS) else None
