"""Every log format, one file each. To add one: write its file, name it here, add its cases to the tests."""

from typing import Final

from sakimori_collector.domain.formats.apache_access import APACHE_ACCESS
from sakimori_collector.domain.formats.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.nginx_access import NGINX_ACCESS
from sakimori_collector.domain.formats.openssh_auth import OPENSSH_AUTH

AUTO: Final = "auto"
"""Not a format: each line by the first format that recognises it."""

FORMATS: Final[dict[str, Format]] = {known.name: known for known in (APACHE_ACCESS, NGINX_ACCESS, OPENSSH_AUTH)}
"""By name, in the order in which `auto` asks them."""

FORMAT_NAMES: Final = (AUTO, *FORMATS)

__all__ = ["AUTO", "FORMATS", "FORMAT_NAMES", "Format", "LineRejected", "Record", "Reference"]
