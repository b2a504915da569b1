"""Every log format, one file each.

To add one: write its file, name it here, add its cases under tests/formats. What programs say through syslog stands in
../programs, each a format, too.
"""

from typing import Final

from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats import payload
from sakimori_collector.domain.formats.apache_access import APACHE_ACCESS
from sakimori_collector.domain.formats.auditd import AUDITD
from sakimori_collector.domain.formats.daemon_files import DAEMON_FILES
from sakimori_collector.domain.formats.docker import CRI
from sakimori_collector.domain.formats.nginx_access import NGINX_ACCESS
from sakimori_collector.domain.formats.structured import ANYBODYS, OF_JSON, STRUCTURED
from sakimori_collector.domain.formats.syslog_program import SYSLOG, format_of, is_usual
from sakimori_collector.domain.programs import PROGRAMS

AUTO: Final = "auto"
"""Not a format: each line by the first format that recognises it."""

EXACT: Final[tuple[Format, ...]] = (CRI, APACHE_ACCESS, NGINX_ACCESS, AUDITD, *DAEMON_FILES, *STRUCTURED)
"""Formats that nothing else is taken for, in the order in which `auto` asks them."""

GENERIC: Final[tuple[Format, ...]] = ANYBODYS
"""Formats of which many lines could be; asked last."""

FORMATS: Final[dict[str, Format]] = {
    known.name: known for known in (*map(format_of, PROGRAMS), *EXACT, *OF_JSON, SYSLOG, *GENERIC)
}
"""By name."""

FORMAT_NAMES: Final = (AUTO, *FORMATS)

payload.ask(EXACT)


def recognise(line: str, path: str) -> Format | None:
    """Find the format of a line by its content (and the path of its file, where content does not tell).

    Syslog is asked first, being the most frequent and told by one expression; it finds the program by its name.
    """
    if is_usual(line):
        return SYSLOG
    for candidate in _BY_FIRST.get(line[:1], _ANY_FIRST):
        if candidate.recognises(line, path):
            return candidate
    return None


ASKED: Final = (*EXACT, SYSLOG, *GENERIC)
"""What is asked of lines that are not syslog's usual ones, in this order."""

_DIGITS: Final = "0123456789"
_STARTS: Final = {
    "json": "{ \t",
    "windows.xml": "<",
    "apache.error": "[",
    "linux.auditd": "nt",
    "vsftpd.log": "FMSTW",
    **dict.fromkeys(("cri", "nginx.error", "mysql.error", "fail2ban.log", "bind.named", "exim.mail"), _DIGITS),
}
"""First characters that lines of a format may have, where those are few: so most formats are not even asked."""

_ANY_FIRST: Final = tuple(known for known in ASKED if known.name not in _STARTS)
_BY_FIRST: Final = {
    first: tuple(known for known in ASKED if first in _STARTS.get(known.name, first))
    for first in sorted(set("".join(_STARTS.values())))
}

payload.ask_all(recognise)

__all__ = ["AUTO", "FORMATS", "FORMAT_NAMES", "Format", "LineRejected", "Record", "Reference", "recognise"]
