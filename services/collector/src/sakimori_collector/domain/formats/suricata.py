"""Suricata's EVE (https://docs.suricata.io/en/latest/output/eve/eve-json-format.html), one object a line."""

from typing import Final

from sakimori_collector.domain.ends import put_end, put_totals, put_transport
from sakimori_collector.domain.flat import Fields, put_flat, rename
from sakimori_collector.domain.format import Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object, nested
from sakimori_collector.domain.requests import put_status, put_target
from sakimori_collector.domain.timestamps import time_of
from sakimori_common.instants import format_instant

_NAMED: Final = {
    f"suricata.eve.{theirs}": ours
    for theirs, ours in {
        "alert.signature_id": "rule.id",
        "alert.signature": "rule.name",
        "alert.category": "rule.category",
        "app_proto": "network.protocol",
        "community_id": "network.community_id",
        "host": "observer.hostname",
        "in_iface": "observer.ingress.interface.name",
        "vlan": "network.vlan.id",
        "pcap_filename": "log.file.path",
        "flow.bytes_toserver": "source.bytes",
        "flow.bytes_toclient": "destination.bytes",
        "flow.pkts_toserver": "source.packets",
        "flow.pkts_toclient": "destination.packets",
        "http.hostname": "url.domain",
        "http.http_user_agent": "user_agent.original",
        "http.http_method": "http.request.method",
        "http.http_refer": "http.request.referrer",
        "http.length": "http.response.body.bytes",
        "dns.id": "dns.id",
        "dns.rcode": "dns.response_code",
        "dns.answers.rrname": "dns.answers.name",
        "dns.answers.rrtype": "dns.answers.type",
        "dns.answers.rdata": "dns.answers.data",
        "dns.answers.ttl": "dns.answers.ttl",
        "tls.sni": "tls.client.server_name",
        "tls.subject": "tls.server.subject",
        "tls.issuerdn": "tls.server.issuer",
        "tls.ja3.hash": "tls.client.ja3",
        "tls.ja3s.hash": "tls.server.ja3s",
        "fileinfo.filename": "file.path",
        "fileinfo.size": "file.size",
        "fileinfo.md5": "file.hash.md5",
        "fileinfo.sha1": "file.hash.sha1",
        "fileinfo.sha256": "file.hash.sha256",
    }.items()
}
_CATEGORIES: Final = {"alert": "intrusion_detection", "fileinfo": "file", "stats": "host", "engine": "host"}
_KINDS: Final = {"alert": "alert", "stats": "metric"}
_SEVERITIES: Final = {1: (3, "high"), 2: (2, "medium"), 3: (1, "low")}
"""Suricata counts from the worst; everybody else here, from 0 (info) to 4 (critical)."""
_TAKEN: Final = ("timestamp", "src_ip", "src_port", "dest_ip", "dest_port", "proto")


def _is_meant(read: Object, path: str) -> bool:
    """Other programs have an `event_type`, too: here its name is also that of a part, or there is a flow."""
    kind = read.get("event_type")
    return isinstance(kind, str) and "timestamp" in read and ("flow_id" in read or "src_ip" in read or kind in read)


def _read(read: Object, reference: Reference) -> list[Record]:
    kind = str(read["event_type"])
    time = time_of(read["timestamp"], reference)
    fields: Fields = {"event.category": _CATEGORIES.get(kind, "network"), "event.kind": _KINDS.get(kind, "event")}
    put_end(fields, "source", read.get("src_ip"), read.get("src_port"))
    put_end(fields, "destination", read.get("dest_ip"), read.get("dest_port"))
    put_transport(fields, read.get("proto"))
    put_flat(fields, "suricata.eve.", {name: value for name, value in read.items() if name not in _TAKEN})
    rename(fields, _NAMED)
    _put_verdict(fields, kind, read)
    if "http" in read:
        _put_http(fields, read)
    if "dns" in read:
        _put_dns(fields, read)
    if "flow" in read:
        _put_flow(fields, read, reference)
    return [(time, fields)]


def _put_verdict(fields: Fields, kind: str, read: Object) -> None:
    if "rule.id" in fields:
        fields["rule.id"] = str(fields["rule.id"])
    action = nested(read, "alert", "action")
    if isinstance(action, str):
        fields["event.action"] = action
    elif kind == "drop":
        fields["event.action"] = "blocked"
    severity = nested(read, "alert", "severity")
    if isinstance(severity, int):
        fields["event.severity"], fields["event.severity_name"] = _SEVERITIES.get(severity, (0, "info"))
    signature = nested(read, "alert", "signature")
    if isinstance(signature, str):
        fields["message"] = signature


def _put_http(fields: Fields, read: Object) -> None:
    target = fields.pop("suricata.eve.http.url", None)
    if isinstance(target, str):
        put_target(fields, target)
    status = fields.pop("suricata.eve.http.status", None)
    if status is not None:
        put_status(fields, status)
    version = fields.pop("suricata.eve.http.protocol", None)
    if isinstance(version, str):
        fields["http.version"] = version.removeprefix("HTTP/")


def _put_dns(fields: Fields, read: Object) -> None:
    """Version 2 has one question as `rrname`, version 3 (from Suricata 8) a list of `queries`."""
    for theirs, ours in (("rrname", "name"), ("rrtype", "type")):
        value = fields.pop(f"suricata.eve.dns.{theirs}", None) or fields.pop(f"suricata.eve.dns.queries.{theirs}", None)
        value = value[0] if isinstance(value, list) else value
        if isinstance(value, str):
            fields[f"dns.question.{ours}"] = value
    for part in ("query", "answer"):  # alerts have them one level deeper
        name = fields.pop(f"suricata.eve.dns.{part}.rrname", None)
        name = name[0] if isinstance(name, list) and name else name
        if isinstance(name, str):
            fields.setdefault("dns.question.name", name)
    said = fields.pop("suricata.eve.dns.type", None)
    if said is not None:
        fields["dns.type"] = "query" if said in {"query", "request"} else "answer"


def _put_flow(fields: Fields, read: Object, reference: Reference) -> None:
    for theirs in ("start", "end"):
        value = fields.pop(f"suricata.eve.flow.{theirs}", None)
        if isinstance(value, str):
            fields[f"event.{theirs}"] = format_instant(time_of(value, reference))
    put_totals(fields)


SURICATA: Final = JsonKind("suricata.eve", "event_type", _is_meant, _read)
