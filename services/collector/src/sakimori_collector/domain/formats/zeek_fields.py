"""What the columns of Zeek's logs mean; those that are in no table are kept as `zeek.<log>.<column>`."""

from typing import Final

from sakimori_collector.domain.ends import put_end, put_totals, put_transport
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import Record, Reference
from sakimori_collector.domain.requests import put_status, put_target
from sakimori_collector.domain.timestamps import time_of

_EVERYWHERE: Final = {
    "uid": "zeek.session_id",
    "community_id": "network.community_id",
    "_system_name": "observer.hostname",
}
_NAMES: Final[dict[str, dict[str, str]]] = {
    "conn": {
        "service": "network.protocol",
        "orig_ip_bytes": "source.bytes",
        "resp_ip_bytes": "destination.bytes",
        "orig_pkts": "source.packets",
        "resp_pkts": "destination.packets",
        "orig_l2_addr": "source.mac",
        "resp_l2_addr": "destination.mac",
        "vlan": "network.vlan.id",
    },
    "dns": {
        "query": "dns.question.name",
        "qtype_name": "dns.question.type",
        "qclass_name": "dns.question.class",
        "rcode_name": "dns.response_code",
        "answers": "dns.answers.data",
        "trans_id": "dns.id",
    },
    "http": {
        "method": "http.request.method",
        "host": "url.domain",
        "referrer": "http.request.referrer",
        "user_agent": "user_agent.original",
        "version": "http.version",
        "request_body_len": "http.request.body.bytes",
        "response_body_len": "http.response.body.bytes",
        "username": "user.name",
    },
    "ssl": {
        "server_name": "tls.client.server_name",
        "cipher": "tls.cipher",
        "curve": "tls.curve",
        "established": "tls.established",
        "resumed": "tls.resumed",
        "subject": "tls.server.subject",
        "issuer": "tls.server.issuer",
        "ja3": "tls.client.ja3",
        "ja3s": "tls.server.ja3s",
    },
    "files": {
        "filename": "file.name",
        "mime_type": "file.mime_type",
        "total_bytes": "file.size",
        "md5": "file.hash.md5",
        "sha1": "file.hash.sha1",
        "sha256": "file.hash.sha256",
    },
    "notice": {"note": "rule.name", "msg": "message", "sub": "rule.description"},
    "weird": {"name": "rule.name"},
    "signatures": {"sig_id": "rule.id", "event_msg": "message"},
    "intel": {"seen.indicator": "threat.indicator.name", "seen.indicator_type": "threat.indicator.type"},
    "ftp": {"user": "user.name"},
    "ntlm": {"username": "user.name"},
    "kerberos": {"client": "user.name"},
    "socks": {"user": "user.name"},
    "radius": {"username": "user.name"},
    "rdp": {"cookie": "user.name"},
    "dhcp": {"mac": "source.mac", "host_name": "source.domain"},
    "syslog": {"message": "message"},
    "x509": {},
}
LOGS: Final = frozenset(_NAMES) | {
    "analyzer", "capture_loss", "dce_rpc", "dnp3", "dpd", "irc", "known_certs", "known_hosts", "known_services",
    "ldap", "ldap_search", "modbus", "mqtt_connect", "mqtt_publish", "mqtt_subscribe", "mysql", "ntp", "ocsp",
    "packet_filter", "pe", "postgresql", "quic", "redis", "reporter", "rfb", "sip", "smb_files", "smb_mapping",
    "smtp", "snmp", "software", "ssh", "stats", "telemetry", "traceroute", "tunnel", "websocket",
}  # fmt: skip
"""Names that Zeek's own scripts give to logs."""
LOG_OF_COLUMN: Final = {
    "conn_state": "conn",
    "qtype_name": "dns",
    "rcode_name": "dns",
    "auth_success": "ssh",
    "auth_attempts": "ssh",
    "request_body_len": "http",
    "status_code": "http",
    "cert_chain_fps": "ssl",
    "established": "ssl",
    "certificate.serial": "x509",
    "tx_hosts": "files",
    "mime_type": "files",
    "named_pipe": "dce_rpc",
    "note": "notice",
    "notice": "weird",
    "tunnel_type": "tunnel",
    "msg_types": "dhcp",
    "query": "dns",
    "server_name": "ssl",
    "mailfrom": "smtp",
    "ntlm": "ntlm",
    "request_type": "kerberos",
}
"""What tells a log whose name is nowhere; the surer columns first."""
_CATEGORIES: Final = {
    **dict.fromkeys(("notice", "signatures", "intel"), "intrusion_detection"),
    **dict.fromkeys(("files", "pe", "smb_files"), "file"),
    **dict.fromkeys(("reporter", "stats", "telemetry", "capture_loss", "packet_filter"), "host"),
}
_ALERTS: Final = frozenset({"notice", "signatures", "intel"})
_ENDS: Final = ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
_NANOSECONDS: Final = 1_000_000_000


def record_of_columns(log: str, flat: Fields, reference: Reference) -> Record:
    """Make a record of a line's columns by name, without those that are unset; takes them. Raises LineRejected."""
    time = time_of(flat.pop("ts", None), reference)
    fields: Fields = {"event.dataset": f"zeek.{log}", "event.category": _CATEGORIES.get(log, "network")}
    if log in _ALERTS:
        fields["event.kind"] = "alert"
    _put_ends(fields, flat, log)
    names = _NAMES.get(log, {})
    for name, value in flat.items():
        if value not in ("", []):
            fields[names.get(name) or _EVERYWHERE.get(name) or f"zeek.{log}.{name}"] = value
    _put_more(fields, log)
    put_totals(fields)
    return time, fields


def _put_ends(fields: Fields, flat: Fields, log: str) -> None:
    source, source_port, destination, destination_port = (flat.pop(name, None) for name in _ENDS)
    if source is None and log == "notice":
        source, destination, destination_port = flat.pop("src", None), flat.pop("dst", None), flat.pop("p", None)
    if source is None and log == "dhcp":
        source, destination = flat.pop("client_addr", None), flat.pop("server_addr", None)
    put_end(fields, "source", source, source_port)
    put_end(fields, "destination", destination, destination_port)
    put_transport(fields, flat.pop("proto", None))


def _put_more(fields: Fields, log: str) -> None:
    duration = fields.get("zeek.conn.duration")
    if isinstance(duration, int | float) and 0 <= duration < 1e9:
        fields["event.duration"] = round(duration * _NANOSECONDS)
    if log == "http":
        _put_http(fields)
    elif log == "ssl":
        version = fields.get("zeek.ssl.version")
        if isinstance(version, str) and version.startswith("TLSv1"):
            fields["tls.version"] = {"10": "1.0", "11": "1.1", "12": "1.2", "13": "1.3"}.get(version[4:], version[4:])
    elif log == "ssh":
        success = fields.get("zeek.ssh.auth_success")
        fields["event.outcome"] = "unknown" if success is None else "success" if success is True else "failure"
    elif log == "files":
        _put_hosts(fields)


def _put_http(fields: Fields) -> None:
    target = fields.pop("zeek.http.uri", None)
    if isinstance(target, str):
        put_target(fields, target)
    status = fields.pop("zeek.http.status_code", None)
    if status is not None:
        put_status(fields, status)


def _put_hosts(fields: Fields) -> None:
    """The side that sends the file is its source."""
    for side, name in (("source", "zeek.files.tx_hosts"), ("destination", "zeek.files.rx_hosts")):
        hosts = fields.get(name)
        if isinstance(hosts, list) and len(hosts) == 1 and f"{side}.ip" not in fields:
            put_end(fields, side, hosts[0])
