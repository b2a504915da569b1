"""cron, anacron and at: what runs by the clock (vixie-cron, cronie, Debian's cron)."""

from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_OWNER = r"\((?P<user__name>[^()]{1,256})\) "

_PHRASES: Final = compiled(
    {
        ("process", "cron_other", "unknown"): (r"\(CRON\) .*",),
        ("process", "cron_command", "success"): (
            rf"{_OWNER}CMD \( {{0,32}}+(?P<process__command_line>.*)\)\s{{0,8}}",
            r"Job `(?P<cron__job>[^']{1,256})' started",
        ),
        ("process", "cron_command_ended", "unknown"): (
            rf"{_OWNER}CMDEND \( {{0,32}}+(?P<process__command_line>.*)\)\s{{0,8}}",
            r"Job `(?P<cron__job>[^']{1,256})' terminated@rest",
        ),
        ("process", "cron_output", "unknown"): (rf"{_OWNER}CMDOUT \(?.*",),
        ("configuration", "crontab_changed", "success"): (
            rf"{_OWNER}(?:REPLACE|END EDIT|DELETE) \((?P<cron__table>[^()]{{1,256}})\)",
        ),
        ("configuration", "crontab_read", "unknown"): (
            rf"{_OWNER}(?:LIST|BEGIN EDIT|RELOAD|STARTUP|INFO) \((?P<cron__table>.{{1,256}})\)",
        ),
        ("process", "cron_denied", "failure"): (
            rf"{_OWNER}(?:AUTH|crontab|ERROR|FAILED|BAD FILE MODE|WRONG FILE OWNER|PAM ERROR|ORPHAN|MAIL|error).*",
        ),
    }
)
_NAMES: Final = frozenset({"cron", "CRON", "crond", "CROND", "anacron", "crontab", "fcron", "atd", "cronie"})


def explain(line: SyslogLine) -> Fields:
    """Say what ran. A session that PAM opens for a job is none of a person's: its category is `session`."""
    return explain_pam(line.message) or said(line.message, _PHRASES) or other("process", "cron_other")


CRON = Program("linux.cron", _NAMES, explain)
