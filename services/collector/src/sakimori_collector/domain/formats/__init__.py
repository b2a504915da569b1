"""Every log format, one file each.

To add one: write its file, name it here, add its cases under tests/formats. What programs say through syslog stands in
../programs, each a format, too.
"""

from typing import Final

from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.apache_access import APACHE_ACCESS
from sakimori_collector.domain.formats.nginx_access import NGINX_ACCESS
from sakimori_collector.domain.formats.syslog_program import SYSLOG, format_of
from sakimori_collector.domain.programs import PROGRAMS

AUTO: Final = "auto"
"""Not a format: each line by the first format that recognises it."""

FORMATS: Final[dict[str, Format]] = {
    known.name: known for known in (APACHE_ACCESS, NGINX_ACCESS, *map(format_of, PROGRAMS), SYSLOG)
}
"""By name, in the order in which `auto` asks them."""

FORMAT_NAMES: Final = (AUTO, *FORMATS)

__all__ = ["AUTO", "FORMATS", "FORMAT_NAMES", "Format", "LineRejected", "Record", "Reference"]
