"""Log files of daemons that write their own time: one line, its time at the front, and what is said behind it."""

import re
from collections.abc import Callable
from datetime import timedelta, timezone, tzinfo
from typing import Final

from sakimori_collector.domain.addresses import put_source
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.syslog_program import format_of
from sakimori_collector.domain.months import month_number, zone_seconds
from sakimori_collector.domain.programs import Program
from sakimori_collector.domain.syslog_times import dated
from sakimori_collector.domain.times import DAY
from sakimori_collector.domain.timestamps import plausible
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import MICROSECONDS

Fields = dict[str, FieldValue]

CLOCK: Final = r"(?P<clock>\d{1,2}:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_ISO: Final = rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[T ] ?{CLOCK}"
ISO: Final = _ISO + r"(?: ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?))?"
"""`2026-01-16 01:59:58.123+09:00`: groups of `file_format`'s expressions, together with those of CLOCK."""
ISO_NAMED: Final = _ISO + r"(?: ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?|[A-Z]{3,4}\b))?"
"""The same, and `2026-01-16 01:59:58.123 JST`."""


def file_format(
    line: re.Pattern[str],
    explain: Callable[[str], Fields],
    program: Program,
    recognises: re.Pattern[str] | None = None,
    continues: Callable[[str], bool] | None = None,
) -> Format:
    """Make the format of a program that logs to a file of its own, or through syslog: it reads both.

    `line` is what stands before the text in the file; its groups: year (of four digits or two), month (a number or a
    name), day, clock, fraction, zone (what is missing is the host's), pid, host, client; what follows the match is the
    text, and `explain` says what it means. `recognises` tells the lines of the file (else `line` does).
    """
    through_syslog = format_of(program)
    beginning = recognises or line

    def parse(text: str, reference: Reference) -> list[Record]:
        match = line.match(text)
        if match is None:
            return through_syslog.parse(text, reference)
        said = {group.partition("___")[0]: value for group, value in match.groupdict().items() if value is not None}
        message = text[match.end() :]
        fields = explain(message)
        if program.logins and fields["event.category"] == "authentication":
            fields["event.dataset"] = program.logins
        if "host" in said:
            fields["host.hostname"] = said["host"]
        if "client" in said:
            put_source(fields, said["client"])
        if "pid" in said:
            fields["process.pid"] = int(said["pid"])
        fields["message"] = message
        return [(_time(said, reference), fields)]

    def is_of_file(text: str, path: str) -> bool:
        return beginning.match(text) is not None

    return Format(program.dataset, parse, is_of_file, continues=continues)


def _time(said: dict[str, str], reference: Reference) -> int:
    year = int(said["year"])
    month = int(said["month"]) if said["month"].isdecimal() else month_number(said["month"])
    try:
        time = dated(
            year + 2000 if year < 100 else year, month, int(said["day"]), said["clock"], _zone(said, reference)
        )
    except ValueError as error:
        raise LineRejected(str(error)) from None
    if "fraction" in said:
        time += int(said["fraction"][:6].ljust(6, "0"))
    return plausible(time, reference)


def _zone(said: dict[str, str], reference: Reference) -> tzinfo:
    name = said.get("zone", "")
    if name[:1] in {"+", "-"}:
        digits = name[1:].replace(":", "").ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes >= DAY // MICROSECONDS // 60:
            raise LineRejected(f"no such time zone: {name}")
        return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes))
    seconds = zone_seconds(name) if name else None
    return reference.zone if seconds is None else timezone(timedelta(seconds=seconds))
