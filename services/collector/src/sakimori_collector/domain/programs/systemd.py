"""systemd itself: units that start, stop and fail (src/core/job.c, unit.c, service.c)."""

from typing import Final

from sakimori_collector.domain.programs.pam import explain_pam
from sakimori_collector.domain.programs.phrases import compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_UNIT = (
    r"(?P<systemd__unit>[\w@.:\\-]{1,255}\."
    r"(?:service|socket|timer|mount|scope|slice|target|device|path|swap|automount))"
)

_PHRASES: Final = compiled(
    {
        ("process", "unit_failed", "failure"): (
            rf"(?:Failed to start|Dependency failed for) (?:{_UNIT}(?: - .*)?|(?P<systemd__description>.{{1,512}}))",
            rf"{_UNIT}: (?:Failed with result|Main process exited, code=|Control process exited, code=|"
            r"Start request repeated|Unit entered failed state|State .* timed out).*",
        ),
        ("process", "unit_started", "success"): (
            rf"Started (?:{_UNIT}(?: - .*)?|(?P<systemd__description>.{{1,512}}))",
            rf"(?:Finished|Listening on|Mounted|Reached target|Created slice|Reloaded) "
            rf"(?:{_UNIT}(?: - .*)?|(?P<systemd__description>.{{1,512}}))",
        ),
        ("process", "unit_starting", "unknown"): (
            rf"(?:Starting|Reloading) (?:{_UNIT}(?: - .*)?|(?P<systemd__description>.{{1,512}}))",
        ),
        ("process", "unit_stopped", "success"): (
            rf"(?:Stopped|Closed|Unmounted|Removed slice|Stopped target) "
            rf"(?:{_UNIT}(?: - .*)?|(?P<systemd__description>.{{1,512}}))",
            rf"{_UNIT}: (?:Deactivated successfully|Succeeded)\.",
        ),
        ("process", "unit_stopping", "unknown"): (
            rf"Stopping (?:{_UNIT}(?: - .*)?|(?P<systemd__description>.{{1,512}}))",
        ),
        ("process", "unit_other", "unknown"): (rf"{_UNIT}: .*",),
    }
)


def explain(line: SyslogLine) -> Fields:
    """Say which unit did what."""
    return explain_pam(line.message) or said(line.message, _PHRASES) or other("host", "systemd_other")


SYSTEMD = Program("linux.systemd", frozenset({"systemd", "sd-pam"}), explain)
