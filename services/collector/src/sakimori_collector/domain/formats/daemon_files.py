"""The log files that daemons write themselves: vsftpd, MySQL, PostgreSQL, fail2ban, BIND, Exim.

What their texts mean stands in ../programs, since all of them can log through syslog, too.
"""

import re
from typing import Final

from sakimori_collector.domain.format import Format
from sakimori_collector.domain.formats.daemon_file import CLOCK, ISO, ISO_NAMED, Fields, file_format
from sakimori_collector.domain.programs.databases import (
    MYSQL,
    POSTGRES_LEVEL,
    POSTGRESQL,
    explain_mysql_text,
    explain_postgres_text,
)
from sakimori_collector.domain.programs.fail2ban import FAIL2BAN
from sakimori_collector.domain.programs.fail2ban import explain_text as explain_fail2ban
from sakimori_collector.domain.programs.ftp import VSFTPD, VSFTPD_SAID
from sakimori_collector.domain.programs.mail import EXIM, explain_exim_text
from sakimori_collector.domain.programs.named import NAMED
from sakimori_collector.domain.programs.named import explain_text as explain_named
from sakimori_collector.domain.programs.phrases import explain, other

_VSFTPD = re.compile(
    rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) {CLOCK} (?P<year>\d{{4}}) "
    r"\[pid (?P<pid>\d{1,10})\] "
)


def _explain_vsftpd(text: str) -> Fields:
    return explain(text.rstrip(), VSFTPD_SAID) or other("network", "ftp_other")


_MYSQL = re.compile(
    rf"(?:{ISO}|(?P<year___1>\d\d)(?P<month___1>\d\d)(?P<day___1>\d\d) {{1,2}}(?P<clock___1>\d{{1,2}}:\d\d:\d\d)) "
    r"(?=(?:\d{1,20} )?\[(?:Warning|Note|ERROR|Error|System)\] )"
)
"""Before 5.7 `160107  8:25:38 [Warning]`, then ISO 8601 with the thread behind it."""

_POSTGRES = re.compile(rf"(?:(?P<client>[\w.:-]{{1,255}}) )?{ISO_NAMED}(?= .{{0,512}}?{POSTGRES_LEVEL})")
_POSTGRES_PID = re.compile(r"\s*\[(\d{1,10})(?:-\d{1,10})?\]")
_POSTGRES_EXACT = re.compile(
    rf"(?:[\w.:-]{{1,255}} )?\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{{1,6}})? (?:[A-Z]{{3,4}}|[+-]\d\d) "
    rf".{{0,512}}?{POSTGRES_LEVEL}"
)


def _explain_postgres(text: str) -> Fields:
    fields = explain_postgres_text(text)
    pid = _POSTGRES_PID.match(text)
    if pid is not None:
        fields["process.pid"] = int(pid[1])
    return fields


def _goes_on(line: str) -> bool:
    """The server writes a statement of several lines with a tab before each but the first."""
    return line.startswith("\t")


_FAIL2BAN = re.compile(rf"{ISO} (?=fail2ban\.)")
_NAMED = re.compile(rf"(?P<day>\d{{1,2}})-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) {CLOCK} ")
_NAMED_EXACT = re.compile(
    rf"{_NAMED.pattern}(?:[a-z-]{{3,32}}: )?(?:[a-z]{{4,8}}(?: \d{{1,3}})?: )?(?:client |zone |dns_|lame-)"
)
_EXIM = re.compile(rf"{ISO} (?:\[(?P<pid>\d{{1,10}})\] )?")
_EXIM_EXACT = re.compile(
    rf"{_EXIM.pattern}(?:[0-9A-Za-z]{{6}}-[0-9A-Za-z]{{6,11}}-[0-9A-Za-z]{{2,4}} |"
    r"(?:exim \d|Start queue run|End queue run|no MAIL in |no host name found for IP|no IP address found for host|H=|"
    r"SMTP |"
    r"TLS error on connection|[\w-]{1,64} authenticator failed for |rejected |unexpected disconnection while|"
    r"Connection from \[))"
)

DAEMON_FILES: Final[tuple[Format, ...]] = (
    file_format(_VSFTPD, _explain_vsftpd, VSFTPD),
    file_format(_MYSQL, explain_mysql_text, MYSQL),
    file_format(_FAIL2BAN, explain_fail2ban, FAIL2BAN),
    file_format(_POSTGRES, _explain_postgres, POSTGRESQL, _POSTGRES_EXACT, _goes_on),
    file_format(_NAMED, explain_named, NAMED, _NAMED_EXACT),
    file_format(_EXIM, explain_exim_text, EXIM, _EXIM_EXACT),
)
"""In the order in which `auto` asks them."""
