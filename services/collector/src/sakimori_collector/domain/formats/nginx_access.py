"""nginx access logs (http://nginx.org/en/docs/http/ngx_http_log_module.html, `combined`)."""

from sakimori_collector.domain.format import Format
from sakimori_collector.domain.formats.combined import is_combined, parse_combined


def _recognises(line: str, path: str) -> bool:
    return is_combined(line)


NGINX_ACCESS = Format("nginx.access", parse_combined, _recognises)
