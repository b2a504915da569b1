"""fail2ban: addresses it found, banned and let go again (fail2ban 0.8 to 1.1)."""

import re
from typing import Final

from sakimori_collector.domain.programs.phrases import compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_BEGINNING = re.compile(
    r"(?:(?P<logger>fail2ban\.[\w.]{1,64})\s*(?:\[\d{1,10}\])?: )?\s*(?:(?P<level>CRITICAL|ERROR|WARNING|NOTICE|INFO|"
    r"DEBUG)\s+)?"
)
_JAIL = r"\[(?P<fail2ban__jail>[^\]]{1,64})\] "

_SAID: Final = compiled(
    {
        ("intrusion_detection", "address_banned", "success"): (
            rf"{_JAIL}(?:Increase |Restore )?Ban @address(?: \(.*\))?",
        ),
        ("intrusion_detection", "address_unbanned", "success"): (rf"{_JAIL}Unban @address",),
        ("intrusion_detection", "address_found", "unknown"): (rf"{_JAIL}Found @address(?: - .*)?",),
        ("intrusion_detection", "address_ignored", "unknown"): (rf"{_JAIL}Ignore @address by @rest",),
        ("intrusion_detection", "address_already_banned", "unknown"): (rf"{_JAIL}@address already banned",),
        ("configuration", "jail_changed", "unknown"): (
            r"(?:Jail|Creating new jail|Initiated|Added|Removed|Set) '?(?P<fail2ban__jail>[^\s']{1,64})'?@rest",
        ),
    }
)


def explain_text(text: str) -> Fields:
    """Say what fail2ban did; the text may begin with its logger and level."""
    match = _BEGINNING.match(text)
    fields = said(text[match.end() :].rstrip() if match else text, _SAID) or other("host", "fail2ban_other")
    if match is not None and match["level"]:
        fields["log.level"] = match["level"].lower()
    return fields


def explain(line: SyslogLine) -> Fields:
    """Say what fail2ban did."""
    return explain_text(line.message)


_LOGGERS: Final = ("", "-server", ".actions", ".filter", ".jail", ".server", ".observer")
FAIL2BAN = Program("fail2ban.log", frozenset(f"fail2ban{name}" for name in _LOGGERS), explain)
