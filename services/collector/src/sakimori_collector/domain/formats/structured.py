"""The formats that are not syslog's: by what they are told, and in which order.

Lines of JSON are decoded once: `json` looks at the keys and hands the object to one of JSON_KINDS, each of which is a
format of its own, too, for sources that say what they send.
"""

from typing import Final

from sakimori_collector.domain.format import Format
from sakimori_collector.domain.formats.caddy import CADDY
from sakimori_collector.domain.formats.cloudtrail import CLOUDTRAIL, CLOUDTRAIL_FILE
from sakimori_collector.domain.formats.docker import CRI, DOCKER
from sakimori_collector.domain.formats.journald import JOURNALD
from sakimori_collector.domain.formats.json_lines import format_of_kinds, json_format
from sakimori_collector.domain.formats.kubernetes import KUBERNETES, KUBERNETES_LIST
from sakimori_collector.domain.formats.nginx_json import NGINX_JSON
from sakimori_collector.domain.formats.suricata import SURICATA
from sakimori_collector.domain.formats.traefik import TRAEFIK
from sakimori_collector.domain.formats.windows import WINDOWS
from sakimori_collector.domain.formats.zeek import ZEEK, ZEEK_JSON
from sakimori_collector.domain.json_kind import JsonKind

JSON_KINDS: Final[tuple[JsonKind, ...]] = (
    DOCKER,
    JOURNALD,
    SURICATA,
    TRAEFIK,
    CADDY,
    NGINX_JSON,
    CLOUDTRAIL,
    CLOUDTRAIL_FILE,
    KUBERNETES,
    KUBERNETES_LIST,
    WINDOWS,
    ZEEK_JSON,
)
"""Asked in this order; those whose keys are the surest come first."""

JSON: Final = json_format(JSON_KINDS)

STRUCTURED: Final[tuple[Format, ...]] = (JSON, ZEEK, CRI)
"""Formats that nothing else is taken for."""

OF_JSON: Final[tuple[Format, ...]] = (
    format_of_kinds(DOCKER),
    format_of_kinds(JOURNALD),
    format_of_kinds(SURICATA),
    format_of_kinds(TRAEFIK),
    format_of_kinds(CADDY),
    format_of_kinds(NGINX_JSON),
    format_of_kinds(CLOUDTRAIL, CLOUDTRAIL_FILE),
    format_of_kinds(KUBERNETES, KUBERNETES_LIST),
    format_of_kinds(WINDOWS),
)
"""Formats that `json` finds."""
