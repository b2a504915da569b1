"""The formats that are not syslog's: by what they are told, and in which order.

Lines of JSON are decoded once: `json` looks at the keys and hands the object to one of JSON_KINDS, each of which is a
format of its own, too, for sources that say what they send.
"""

from dataclasses import replace
from typing import Final

from sakimori_collector.domain.format import Format, Record, Reference
from sakimori_collector.domain.formats.apache_error import APACHE_ERROR
from sakimori_collector.domain.formats.caddy import CADDY
from sakimori_collector.domain.formats.cef import CEF
from sakimori_collector.domain.formats.cloudtrail import CLOUDTRAIL, CLOUDTRAIL_FILE
from sakimori_collector.domain.formats.combined import parse_combined
from sakimori_collector.domain.formats.csv_lines import CSV
from sakimori_collector.domain.formats.docker import DOCKER
from sakimori_collector.domain.formats.haproxy import HAPROXY
from sakimori_collector.domain.formats.journald import JOURNALD
from sakimori_collector.domain.formats.json_lines import format_of_kinds, json_format
from sakimori_collector.domain.formats.keyvalue import KEYVALUE
from sakimori_collector.domain.formats.kubernetes import KUBERNETES, KUBERNETES_LIST
from sakimori_collector.domain.formats.leef import LEEF
from sakimori_collector.domain.formats.logfmt import LOGFMT
from sakimori_collector.domain.formats.modsecurity import CORAZA
from sakimori_collector.domain.formats.nginx_error import NGINX_ERROR
from sakimori_collector.domain.formats.nginx_json import NGINX_JSON
from sakimori_collector.domain.formats.suricata import SURICATA
from sakimori_collector.domain.formats.traefik import TRAEFIK
from sakimori_collector.domain.formats.vpcflow import VPCFLOW
from sakimori_collector.domain.formats.windows import WINDOWS
from sakimori_collector.domain.formats.windows_xml import WINDOWS_XML
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
    CORAZA,
)
"""Asked in this order; those whose keys are the surest come first."""

JSON: Final = json_format(JSON_KINDS)

STRUCTURED: Final[tuple[Format, ...]] = (
    JSON,
    NGINX_ERROR,
    APACHE_ERROR,
    HAPROXY,
    WINDOWS_XML,
    ZEEK,
    VPCFLOW,
    CEF,
    LEEF,
)
"""Formats that nothing else is taken for."""

ANYBODYS: Final[tuple[Format, ...]] = (LOGFMT, KEYVALUE, CSV)
"""Formats that nobody owns: asked last."""

_TRAEFIK: Final = format_of_kinds(TRAEFIK)


def _parse_traefik(line: str, reference: Reference) -> list[Record]:
    return (_TRAEFIK.parse if line[:1] == "{" else parse_combined)(line, reference)


OF_JSON: Final[tuple[Format, ...]] = (
    format_of_kinds(DOCKER),
    format_of_kinds(JOURNALD),
    format_of_kinds(SURICATA),
    replace(_TRAEFIK, parse=_parse_traefik),
    format_of_kinds(CADDY),
    format_of_kinds(NGINX_JSON),
    format_of_kinds(CLOUDTRAIL, CLOUDTRAIL_FILE),
    format_of_kinds(KUBERNETES, KUBERNETES_LIST),
    format_of_kinds(WINDOWS),
    format_of_kinds(CORAZA),
)
"""Formats that `json` finds."""
