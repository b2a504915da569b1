"""FTP servers through syslog: vsftpd, ProFTPD, Pure-FTPd, and the old ones (wu-ftpd, gssftpd)."""

from collections.abc import Sequence
from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import Phrase, compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_VS_USER = r"(?:\[(?P<user__name>[^\]]{0,256})\] )?"
_VS_CLIENT = r'Client "(?P<address>[^"\s]{1,64})"'

VSFTPD_SAID: Final = compiled(
    {
        ("authentication", "ftp_login", "failure"): (rf"{_VS_USER}FAIL LOGIN: {_VS_CLIENT}@rest",),
        ("authentication", "ftp_login", "success"): (rf"{_VS_USER}OK LOGIN: {_VS_CLIENT}@rest",),
        ("network", "ftp_connected", "unknown"): (rf"CONNECT: {_VS_CLIENT}@rest",),
        ("network", "ftp_refused", "failure"): (rf"{_VS_USER}REFUSED? (?:CONNECT(?:ION)?)?:? ?{_VS_CLIENT}@rest",),
        ("file", "ftp_transfer", "success"): (
            rf'{_VS_USER}OK (?P<ftp__command>[A-Z]{{3,12}}): {_VS_CLIENT}(?:, "(?P<file__path>[^"]{{0,4096}})")?'
            r"(?:, (?P<file__bytes>\d{1,18}) bytes)?@rest",
        ),
        ("file", "ftp_transfer", "failure"): (
            rf"{_VS_USER}FAIL (?P<ftp__command>[A-Z]{{3,12}}): {_VS_CLIENT}"
            r'(?:, "(?P<file__path>[^"]{0,4096})")?@rest',
        ),
        ("network", "ftp_dialogue", "unknown"): (rf"{_VS_USER}(?:FTP (?:command|response)|DEBUG): {_VS_CLIENT}@rest",),
    }
)
"""vsftpd writes the same text to its own file and to syslog."""

_PRO_CLIENT = r"\S{1,255} \((?P<source__domain>[^\s\[()]{1,255})\[(?P<address>[^\]\s]{1,64})\]\)(?::| -) "

PROFTPD_SAID: Final = compiled(
    {
        ("authentication", "ftp_login", "failure"): (
            rf"{_PRO_CLIENT}USER @known \(Login failed\)(?:: .*)?",
            rf"{_PRO_CLIENT}USER @name: no such user found(?: from .*)?",
            rf"{_PRO_CLIENT}SECURITY VIOLATION: @known login attempted.?(?: .*)?",
            rf"{_PRO_CLIENT}Maximum login attempts \(\d{{1,6}}\) exceeded.*",
            rf"{_PRO_CLIENT}mod_(?:sftp|auth\w{{0,16}}|sql|ldap)/\S{{1,32}}: .*(?:authentication failed|no such "
            rf"user).*",
        ),
        ("authentication", "ftp_login", "success"): (
            rf"{_PRO_CLIENT}USER @known: Login successful\.?",
            rf"{_PRO_CLIENT}ANON @known: Login successful\.?",
        ),
        ("network", "ftp_refused", "failure"): (rf"{_PRO_CLIENT}(?:Refused connection|Connection refused|refused).*",),
        ("network", "ftp_connected", "unknown"): (rf"{_PRO_CLIENT}FTP session opened\.?",),
        ("network", "ftp_closed", "unknown"): (
            rf"{_PRO_CLIENT}(?:FTP session closed|FTP (?:no transfer|login|idle|session) (?:timeout|timed out)).*",
            rf"{_PRO_CLIENT}.*timed out.*",
        ),
        ("network", "ftp_other", "unknown"): (rf"{_PRO_CLIENT}@rest",),
    }
)
"""ProFTPD: `host (name[address]): what`, the session's prefix since 1.2."""

_PURE = r"(?:\[(?P<log__level>[A-Z]{1,16})\] )?"
_PURE_CLIENT = rf"\((?:\?|(?P<user__name>[^@()]{{1,256}}))@@address\) {_PURE}"

_PUREFTPD: Final = compiled(
    {
        ("authentication", "ftp_login", "failure"): (
            r"\((?:[^@()]{1,256})@@address\) (?:\[[A-Z]{1,16}\] )?Authentication failed for user \[@name\]",
            r"\((?:[^@()]{1,256})@@address\) (?:\[[A-Z]{1,16}\] )?(?:Erreur d'authentification pour l'utilisateur|"
            r"Authentifizierung fehlgeschlagen f.{1,8}r Benutzer|Autenticaci.{1,8}n fallida para el usuario) "
            r".?\[@name\].*",
            rf"{_PURE_CLIENT}Too many authentication failures@rest",
        ),
        ("authentication", "ftp_login", "success"): (
            r"\((?:[^@()]{1,256})@@address\) (?:\[[A-Z]{1,16}\] )?@user is now logged in",
        ),
        ("network", "ftp_connected", "unknown"): (rf"{_PURE_CLIENT}New connection from @rest",),
        ("network", "ftp_closed", "unknown"): (rf"{_PURE_CLIENT}(?:Logout|Timeout)@rest",),
        ("network", "ftp_other", "unknown"): (rf"{_PURE_CLIENT}@rest",),
    }
)

_OLD: Final = compiled(
    {
        ("authentication", "ftp_login", "failure"): (
            r"(?:failed login|repeated login failures) from (?P<source__domain>[^\s\[]{1,255}) \["
            r"(?P<address>[^\]\s]{1,64})\].*",
            r"(?:failed login|repeated login failures) from @address(?: \(.*)?",
            r"FTP LOGIN FAILED (?:FROM|from) @address(?: \[[^\]]{1,64}\])?, @known(?: \(.*\))?",
            r"login .{0,64}refused.* from (?P<source__domain>[^\s\[]{1,255}) \[(?P<address>[^\]\s]{1,64})\].*",
        ),
        ("authentication", "ftp_login", "success"): (
            r"FTP LOGIN FROM @address(?: \[[^\]]{1,64}\])?(?: as|,) @known",
            r"(?:ANONYMOUS )?FTP LOGIN FROM (?P<source__domain>[^\s\[]{1,255}) \[(?P<address>[^\]\s]{1,64})\], @known",
        ),
        ("network", "ftp_connected", "unknown"): (r"connection from @address.*",),
    }
)


def _explained(line: SyslogLine, phrases: Sequence[Phrase]) -> Fields:
    message = line.message.strip()
    fields = explain_pam(message) or said(message, phrases) or other("network", "ftp_other")
    if fields.get("source.domain") == fields.get("source.ip") or str(fields.get("source.domain", "")).startswith(
        "::ffff:"
    ):
        fields.pop("source.domain", None)
    return fields


def explain_vsftpd(line: SyslogLine) -> Fields:
    """Say what vsftpd means."""
    return _explained(line, VSFTPD_SAID)


def explain_proftpd(line: SyslogLine) -> Fields:
    """Say what ProFTPD means."""
    return _explained(line, PROFTPD_SAID)


def explain_pureftpd(line: SyslogLine) -> Fields:
    """Say what Pure-FTPd means."""
    return _explained(line, _PUREFTPD)


def explain_old(line: SyslogLine) -> Fields:
    """Say what wu-ftpd, gssftpd and the BSDs' ftpd mean."""
    return _explained(line, _OLD)


VSFTPD = Program("vsftpd.log", frozenset({"vsftpd"}), explain_vsftpd, logins="vsftpd.auth")
PROFTPD = Program("proftpd.log", frozenset({"proftpd", "proftpd-gss"}), explain_proftpd, logins="proftpd.auth")
PUREFTPD = Program("pureftpd.log", frozenset({"pure-ftpd", "pureftpd"}), explain_pureftpd, logins="pureftpd.auth")
FTPD = Program("ftpd.log", frozenset({"ftpd", "wu-ftpd", "in.ftpd"}), explain_old, logins="ftpd.auth")
