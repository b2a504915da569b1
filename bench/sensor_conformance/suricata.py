"""Counts of events with given fields, as Suricata's own tests ask for them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.conformance import Check, Flat
from bench.sensor_conformance.check import events_of, matching

ENDS: Final = {
    "src_ip": "source.ip", "dest_ip": "destination.ip", "src_port": "source.port", "dest_port": "destination.port",
    }  # fmt: skip


def checks(data: Path) -> Iterator[Check]:
    """Count, for each check of a kind of event that the sensor has, the events that fit."""
    for test in json.loads((data / "pcaps" / "suricata-verify" / "expected_events.json").read_text()):
        comparable = [check for check in test["checks"] if check["match"]["event_type"] in KINDS]
        if not comparable:
            continue
        events = events_of(data / test["pcap"])
        for number, check in enumerate(comparable, 1):
            yield _check(f"{test['test']}#{number}", check["match"], check["count"], events)


def _check(name: str, match: Flat, count: int, events: list[Flat]) -> Check:
    kind = match["event_type"]
    wanted, untold = translated(match)
    found = len(matching(events, wanted))
    note = f" (not compared: {', '.join(untold)})" if untold else ""
    return Check("suricata", kind, name, f"{count} x {json.dumps(wanted)[:300]}{note}", str(found), found == count)


def translated(match: Flat) -> tuple[Flat, list[str]]:
    """Write a match in the sensor's fields; also returns what has no field here."""
    kind = match["event_type"]
    dataset, names = KINDS[kind]
    wanted: Flat = {"event.dataset": dataset}
    untold = []
    for name, value in _flattened(match):
        if name in _IGNORED:
            continue
        field = ENDS.get(name) or names.get(name) or (name if kind in _SAME and name not in _SECRET else None)
        if field is None:
            untold.append(name)
        elif field:
            wanted[field] = VALUES.get(name, lambda given: given)(value)
    return wanted, untold


def _flattened(match: Flat, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in match.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


_IGNORED: Final = frozenset(
    {
        "event_type",
        "pcap_cnt",
        "proto",
        "pcap_filename.__endswith",
        "tx_id",
        "pkt_src",
        "tls.version_raw",
        "community_id",
    }
)
_HTTP: Final = {
    "http.url": "url.original", "http.hostname": "url.domain", "http.http_user_agent": "user_agent.original",
    "http.http_method": "http.request.method", "http.protocol": "http.version",
    "http.status": "http.response.status_code",
    "http.http_content_type": "http.response.headers.content-type", "http.http_refer": "http.request.referrer",
    "http.length": "http.response.body.bytes",
}  # fmt: skip
_TLS: Final = {
    "tls.sni": "tls.client.server_name", "tls.version": "tls.version", "tls.fingerprint": "tls.server.hash.sha1",
    "tls.notafter": "tls.server.not_after", "tls.notbefore": "tls.server.not_before",
    "tls.serial": "tls.server.x509.serial_number",
    "tls.client_alpns[0]": "tls.client.alpn", "tls.client_alpns[1]": "tls.client.alpn",
    "tls.server_alpns[0]": "tls.next_protocol",
}  # fmt: skip
_DHCP: Final = {
    "dhcp.id": "dhcp.transaction_id", "dhcp.dhcp_type": "dhcp.message_type", "dhcp.dns_servers[0]": "dhcp.dns_servers",
    "dhcp.routers[0]": "dhcp.routers", "dhcp.lease_time": "dhcp.lease_seconds", "dhcp.client_mac": "dhcp.client_mac",
    "dhcp.vendor_class_identifier": "dhcp.vendor_class",
}  # fmt: skip
_DNS: Final = {
    "dns.type": "dns.type", "dns.rcode": "dns.response_code", "dns.queries[0].rrname": "dns.question.name",
    "dns.authorities[0].rrname": "dns.authorities.name", "dns.authorities[0].rrtype": "dns.authorities.type",
    "dns.authorities[0].ttl": "dns.authorities.ttl",
}  # fmt: skip
_NTP: Final = {name: name for name in ("ntp.version", "ntp.stratum", "ntp.mode", "ntp.reference_id")}
_SSH: Final = {"ssh.client.hassh.hash": "ssh.client.hassh", "ssh.server.hassh.hash": "ssh.server.hassh"}
_SMB: Final = {
    "smb.command": "smb.command", "smb.status": "smb.status", "smb.dialect": "smb.dialect",
    "smb.filename": "smb.filename",
    "smb.disposition": "smb.disposition", "smb.share": "smb.share", "smb.named_pipe": "smb.named_pipe",
    "smb.tree_id": "smb.tree_id",
    "smb.session_id": "smb.session_id", "smb.client_dialects[0]": "smb.client_dialects", "smb.fuid": "smb.fuid",
}  # fmt: skip
_SMTP: Final = {
    "smtp.helo": "smtp.helo", "smtp.mail_from": "smtp.mail_from", "smtp.rcpt_to[0]": "smtp.rcpt_to",
}  # fmt: skip
_TFTP: Final = {"tftp.file": "tftp.file", "tftp.mode": "tftp.mode", "tftp.packet": "tftp.operation"}
_MQTT_LISTS: Final = {
    "mqtt.unsubscribe.topics": "mqtt.unsubscribe.topics",
    "mqtt.suback.qos_granted": "mqtt.suback.qos_granted",
}

KINDS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "http": ("network.http", _HTTP),
    "tls": ("network.tls", _TLS),
    "dhcp": ("network.dhcp", _DHCP),
    "dns": ("network.dns", _DNS),
    "ntp": ("network.ntp", _NTP),
    "ssh": ("network.ssh", _SSH),
    "smb": ("network.smb", _SMB),
    "smtp": ("network.smtp", _SMTP),
    "tftp": ("network.tftp", _TFTP),
    "sip": ("network.sip", {"sip.sdp.origin": "sip.sdp.origin", "sip.sdp.session_name": "sip.sdp.session_name"}),
    "quic": ("network.quic", {"quic.extensions[6].values[0]": "tls.client.alpn"}),
    "ftp": ("network.ftp", {"ftp.command": "ftp.command", "ftp.dynamic_port": "ftp.dynamic_port"}),
    "mqtt": ("network.mqtt", {}),
    "websocket": ("network.websocket", {"websocket.opcode": "websocket.opcode"}),
    "rfb": ("network.rfb", {}),
}
"""Suricata's event type: our dataset, and its fields' names here."""
_SECRET: Final = frozenset(
    {"mqtt.connect.password", "mqtt.publish.message", "mqtt.connect.properties.authentication_data"}
)
_SAME: Final = frozenset({"mqtt"})
"""Kinds whose fields have Suricata's names."""


def _serial(value: str) -> str:
    return value.replace(":", "")


def _time(value: str) -> str:
    return value + ".000Z"


def _tls_version(value: str) -> str:
    return {"TLSv1": "1.0"}.get(value, value.removeprefix("TLS "))


def _mac(value: str) -> str:
    return value.replace(":", "-")


VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "tls.version": _tls_version, "tls.fingerprint": _serial, "tls.serial": _serial, "tls.notafter": _time,
    "tls.notbefore": _time, "dhcp.client_mac": _mac, "smtp.mail_from": lambda value: value.strip("<>"),
    "smtp.rcpt_to[0]": lambda value: value.strip("<>"), "http.protocol": lambda value: value.removeprefix("HTTP/"),
    "mqtt.subscribe.topics": lambda value: [topic["topic"] for topic in value],
}  # fmt: skip
