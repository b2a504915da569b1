"""CrowdSec's own tests: the fields that its parsers give, line by line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.conformance import Check, Flat
from bench.parse_conformance.lines import fields_of, source_of
from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.format import Reference
from sakimori_common.instants import parse_instant

TODAY: Final = Reference(parse_instant("2026-06-16T02:00:00Z"))

PARSERS: Final = {
    "openssh": ("sshd-logs", "sshd-success-logs"),
    "logins": ("pkexec-logs", "configserver-lfd-logs", "proxmox-logs", "endlessh-logs", "jellyfin-logs", "radarr-logs",
               "mikrotik-logs", "su-logs", "sudo-logs", "pam-logs", "opnsense-gui-logs", "dropbear-logs"),
    "ftp": ("pureftpd-logs", "vsftpd-logs", "proftpd-logs"),
    "mail": ("dovecot-logs", "exim-logs", "postfix-logs", "postscreen-logs", "exchange-logs"),
    "database": ("supabase-docker-pgsql", "pgsql-logs", "mysql-logs", "mariadb-logs"),
    "dns": ("bind9",),
    "firewall": ("wireguard-logs", "iptables-logs", "nftables-logs", "pf-logs", "opnsense-logs", "ufw-logs"),
    "audit": ("auditd-logs", "laurel-logs", "auditd-nix-wrappers-whitelist-process"),
    "web": ("nginx-logs", "apache2-logs", "haproxy-logs", "caddy-logs", "traefik-logs", "modsecurity",
            "tcpudp-flood-traefik"),
    "cloud": ("aws-cloudtrail", "k8s-audit", "aws-vpcflow"),
    "cef": ("unifi-cef", "cef-logs", "palo-alto-cef"),
    "windows": ("sysmon-logs", "windows-auth", "windows-logs"),
}  # fmt: skip
"""Our groups of formats, and the parsers (without their author) whose lines those read."""
_GROUP: Final = {parser: group for group, parsers in PARSERS.items() for parser in parsers}

FIELDS: Final = {
    "source_ip": ("source.ip",),
    "machine": ("host.hostname",),
    "user": ("user.name", "user.target.name", "user.effective.name"),
    "username": ("user.name", "email.to.address"),
    "target_user": ("user.name", "user.target.name", "email.to.address"),
    "source_user": ("user.name", "email.from.address"),
    "source_dns": ("source.domain",),
    "source_port": ("source.port",),
    "destination_ip": ("destination.ip",),
    "destination_port": ("destination.port",),
    "target_fqdn": ("url.domain", "http.request.headers.host"),
    "http_path": ("url.original", "url.path"),
    "http_status": ("http.response.status_code",),
    "http_verb": ("http.request.method",),
    "http_user_agent": ("user_agent.original",),
    "auth_method": ("sakimori.auth.method",),
    "db": ("postgresql.log.database",),
    "event_name": ("event.action",),
    "event_source": ("event.provider",),
    "account_id": ("cloud.account.id",),
    "region": ("cloud.region",),
    "product": ("observer.product",),
    "vendor": ("observer.vendor",),
    "device_version": ("observer.version",),
    "event_signature_id": ("event.code",),
}
"""CrowdSec's names of what it keeps (`meta`), and where our events have it: one of these."""


def checks(data: Path) -> Iterator[Check]:
    """Compare each parsed line of the parsers whose formats we have."""
    for folder in sorted((data / "logs" / "crowdsec").iterdir()):
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        wanted = [line for line in truth["parsed_lines"] if _group(line["parser"]) is not None]
        if not wanted:
            continue
        lines = (folder / truth["log_file"]).read_bytes().splitlines()
        source = source_of(TODAY, _path(truth))
        for line in wanted:
            event = fields_of(lines[line["i"]], source, line["i"])
            yield _check(line, event, folder.name, lines[line["i"]].decode(errors="replace"))


def _group(parser: str) -> str | None:
    return _GROUP.get(parser.partition("/")[2])


def _path(truth: dict[str, Any]) -> str:
    """Apache's access log is told from nginx's by its path alone, which CrowdSec is told by a label."""
    return f"/var/log/{truth['log_type']}/{truth['log_file']}"


def _check(line: dict[str, Any], event: Flat, test: str, text: str) -> Check:
    wanted = {name: value for name, value in line["meta"].items() if name in FIELDS and value not in {"", "-"}}
    differing = {name: value for name, value in wanted.items() if not _has(event, name, value)}
    expected = ", ".join(f"{name}={value}" for name, value in (differing or wanted).items())
    found = {field: event[field] for name in differing for field in FIELDS[name] if field in event}
    got = f"{event.get('event.dataset', event.get('rejected'))} {found}"
    group = _group(line["parser"]) or ""
    return Check(
        "crowdsec",
        group,
        f"{test}#{line['i']}",
        f"{expected}: {text[:160]}",
        got,
        not differing and "rejected" not in event,
    )


def _has(event: Flat, name: str, value: str) -> bool:
    return any(_same(event[field], value) for field in FIELDS[name] if event.get(field) is not None)


def _same(ours: Any, theirs: str) -> bool:
    items = ours if isinstance(ours, list) else [ours]
    wanted = {theirs, canonical_ip(theirs) or theirs, theirs.partition("?")[0]}
    return any(str(item) in wanted for item in items)
