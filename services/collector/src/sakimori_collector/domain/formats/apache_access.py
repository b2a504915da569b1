"""Apache access logs (https://httpd.apache.org/docs/2.4/logs.html): `common`, `combined`, `vhost_combined`."""

from sakimori_collector.domain.format import Format
from sakimori_collector.domain.formats.combined import is_combined, parse_combined


def _recognises(line: str, path: str) -> bool:
    """nginx writes the very same lines: only where the file lies tells them apart."""
    return ("apache" in path or "httpd" in path) and is_combined(line)


APACHE_ACCESS = Format("apache.access", parse_combined, _recognises)
