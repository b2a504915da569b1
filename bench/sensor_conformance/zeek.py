"""Rows of Zeek's own baseline logs."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.conformance import Check, Flat
from bench.sensor_conformance.check import events_of, matching

Row = dict[str, str]
_MISSING: Final = ("-", "(empty)", "")


def checks(data: Path) -> Iterator[Check]:
    """Look for each row of each log that can be compared among the events of its capture."""
    seen: dict[str, list[Flat]] = {}
    for test in json.loads((data / "pcaps" / "zeek" / "index.json").read_text()):
        for log in test["baseline_logs"]:
            comparison = LOGS.get(Path(log).stem)
            if comparison is None:
                continue
            trace = test["trace"]
            if trace not in seen:
                seen[trace] = events_of(data / trace)
            yield from _rows(Path(test["btest"]).name, comparison, rows_of(data / log), seen[trace])


@dataclass(frozen=True, slots=True)
class Comparison:
    """How rows of one log are compared: with events of which dataset, by which columns, and how values are written."""

    protocol: str
    dataset: str
    columns: dict[str, str]
    values: Callable[[str, str], Any] | None = None
    skips: Callable[[Row], bool] | None = None
    others: tuple[str, ...] = ()
    """Further datasets that the log covers."""


def _rows(name: str, comparison: Comparison, rows: list[Row], events: list[Flat]) -> Iterator[Check]:
    events = [event for event in events if event["event.dataset"] in (comparison.dataset, *comparison.others)]
    for number, row in enumerate(rows, 1):
        if comparison.skips is not None and comparison.skips(row):
            continue
        wanted = _wanted(comparison, row)
        found = matching(events, wanted)
        got = "found" if found else _nearest(events, wanted)
        yield Check("zeek", comparison.protocol, f"{name}:{number}", json.dumps(wanted)[:300], got, bool(found))
        if found:
            events.remove(found[0])


def _wanted(comparison: Comparison, row: Row) -> Flat:
    wanted: Flat = {}
    for column, field in {**_ENDS, **comparison.columns}.items():
        value = row.get(column, "-")
        if value in _MISSING:
            continue
        wanted[field] = comparison.values(column, value) if comparison.values else value
        if field.endswith(".port"):
            wanted[field] = int(value)
    return {field: value for field, value in wanted.items() if value is not None}


def _nearest(events: list[Flat], wanted: Flat) -> str:
    """Show the event that has most of what is wanted, by the fields that differ."""
    if not events:
        return "no such events"
    best = max(events, key=lambda event: sum(bool(matching([event], {name: value})) for name, value in wanted.items()))
    return json.dumps({name: best.get(name) for name, value in wanted.items() if not matching([best], {name: value})})[
        :300
    ]


def rows_of(log: Path) -> list[Row]:
    """Read a log as Zeek or zeek-cut writes it."""
    names: list[str] = []
    rows = []
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("#fields"):
            names = line.split("\t")[1:]
        elif not line or line.startswith("#"):
            continue
        elif not names:
            names = line.split("\t")
        else:
            rows.append(dict(zip(names, line.replace("\\\\", "\\").split("\t"), strict=False)))
    return rows


_ENDS: Final = {
    "id.orig_h": "source.ip", "id.orig_p": "source.port", "id.resp_h": "destination.ip",
    "id.resp_p": "destination.port",
}  # fmt: skip


def _number(value: str) -> int | str:
    return int(value) if value.lstrip("-").isdigit() else value


def _http(column: str, value: str) -> Any:
    if column == "status_code":
        return int(value) or None
    if column in {"request_body_len", "response_body_len"}:
        return int(value) or None
    if column == "host":
        return value.split(":", maxsplit=1)[0]
    return value


_TLS_VERSIONS: Final = {"SSLv3": "3.0", "TLSv10": "1.0", "TLSv11": "1.1", "TLSv12": "1.2", "TLSv13": "1.3"}


def _tls(column: str, value: str) -> Any:
    if column == "version":
        return _TLS_VERSIONS.get(value)
    return {"T": True, "F": False}.get(value, value) if column in {"resumed", "established"} else value


def _dns(column: str, value: str) -> Any:
    if column in {"answers", "qtype_name"}:
        return None if "-" in value or " " in value else value.split(",", maxsplit=1)[0]
    return value


def _ntp(column: str, value: str) -> Any:
    return int(value) if column in {"version", "mode", "stratum"} else value


def _ssh(column: str, value: str) -> Any:
    return value.split("-", 2)[2] if column in {"client", "server"} else value


def _mqtt(column: str, value: str) -> Any:
    if column == "proto_version":
        return {"3.1": 3, "3.1.1": 4, "5.0": 5}[value]
    if column == "payload_len":
        return int(value)
    if column == "retain":
        return value == "T"
    return {"at most once": 0, "at least once": 1, "exactly once": 2}.get(value, value)


def _x509(column: str, value: str) -> Any:
    return value.upper()


def _ftp(column: str, value: str) -> Any:
    return _number(value) if column in {"reply_code", "data_channel.resp_p"} else value


def _conn(column: str, value: str) -> Any:
    if column == "service":
        first = value.split(",", maxsplit=1)[0]
        return {"ssl": "tls", "ldap_tcp": "ldap"}.get(first, first)
    return _number(value)


LOGS: Final[dict[str, Comparison]] = {
    "http": Comparison("http", "network.http", {
        "method": "http.request.method", "host": "url.domain", "uri": "url.original",
        "referrer": "http.request.referrer",
        "user_agent": "user_agent.original", "status_code": "http.response.status_code",
        "request_body_len": "http.request.body.bytes", "response_body_len": "http.response.body.bytes",
    }, _http, lambda row: row.get("method", "-") in _MISSING and row.get("status_code", "-") in _MISSING),
    "ssl": Comparison("tls", "network.tls", {
        "version": "tls.version", "cipher": "tls.cipher", "curve": "tls.curve", "server_name": "tls.client.server_name",
        "next_protocol": "tls.next_protocol", "resumed": "tls.resumed", "established": "tls.established",
    }, _tls, others=("network.quic",)),
    "x509": Comparison("tls", "network.tls", {
        "fingerprint": "tls.server.hash.sha256", "certificate.serial": "tls.server.x509.serial_number",
    }, _x509, lambda row: row.get("host_cert") == "F" or "fingerprint" not in row),
    "dns": Comparison("dns", "network.dns", {
        "query": "dns.question.name", "qtype_name": "dns.question.type", "rcode_name": "dns.response_code",
        "answers": "dns.answers.data", "trans_id": "dns.id",
    }, _dns),
    "ntp": Comparison("ntp", "network.ntp", {
        "version": "ntp.version", "mode": "ntp.mode", "stratum": "ntp.stratum",
    }, _ntp),
    "mqtt_connect": Comparison("mqtt", "network.mqtt", {
        "proto_name": "mqtt.connect.protocol_string", "proto_version": "mqtt.connect.protocol_version",
        "client_id": "mqtt.connect.client_id",
        "will_topic": "mqtt.connect.will.topic",
    }, _mqtt),
    "mqtt_publish": Comparison("mqtt", "network.mqtt", {
        "retain": "mqtt.publish.retain", "qos": "mqtt.publish.qos", "topic": "mqtt.publish.topic",
        "payload_len": "mqtt.publish.bytes",
    }, _mqtt),
    "mqtt_subscribe": Comparison("mqtt", "network.mqtt", {"topics": "mqtt.subscribe.topics"}, None,
                                 lambda row: row.get("action") != "MQTT::SUBSCRIBE"),
    "ssh": Comparison("ssh", "network.ssh", {
        "client": "ssh.client.software_version", "server": "ssh.server.software_version", "cipher_alg": "ssh.cipher",
        "kex_alg": "ssh.kex_algorithm", "host_key_alg": "ssh.host_key_algorithm",
    }, _ssh),
    "ftp": Comparison("ftp", "network.ftp", {
        "user": "user.name", "command": "ftp.command", "reply_code": "ftp.reply_code",
        "data_channel.resp_p": "ftp.dynamic_port",
    }, _ftp, lambda row: row.get("command") == "<init>"),
    "smtp": Comparison("smtp", "network.smtp", {"helo": "smtp.helo", "mailfrom": "smtp.mail_from"}),
    "dhcp": Comparison("dhcp", "network.dhcp", {"mac": "dhcp.client_mac", "host_name": "dhcp.hostname",
    "assigned_addr": "dhcp.assigned_ip"},
                       lambda column, value: value.replace(":", "-") if column == "mac" else value),
    "rdp": Comparison("rdp", "network.rdp", {"cookie": "rdp.cookie", "client_name": "rdp.client.name"},
                      lambda _, value: value.rstrip()),
    "snmp": Comparison("snmp", "network.snmp", {"version": "snmp.version"}),
    "sip": Comparison("sip", "network.sip", {"method": "sip.method", "uri": "sip.uri", "call_id": "sip.call_id"}),
    "redis": Comparison("redis", "network.redis", {"cmd.name": "redis.command"}),
    "smb_files": Comparison("smb", "network.smb", {"name": "smb.filename"}),
    "smb_mapping": Comparison("smb", "network.smb", {"path": "smb.share"}, None,
                              lambda row: row["path"].endswith("IPC$")),
    "ntlm": Comparison("dcerpc", "network.dcerpc", {
        "username": "ntlmssp.user", "hostname": "ntlmssp.host", "server_nb_computer_name": "ntlmssp.server.computer",
    }),
    "dnp3": Comparison("dnp3", "network.dnp3", {"fc_request": "dnp3.function", "fc_reply": "dnp3.response_function"}),
    "conn": Comparison("flow", "network.flow", {
        "proto": "network.transport", "service": "network.protocol", "orig_pkts": "source.packets",
        "resp_pkts": "destination.packets", "orig_ip_bytes": "source.bytes", "resp_ip_bytes": "destination.bytes",
    }, _conn),
}  # fmt: skip
"""By the name of the log."""
