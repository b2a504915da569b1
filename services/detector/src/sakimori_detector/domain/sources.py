"""Which datasets a rule's log source means (docs/reference/fields.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sakimori_detector.domain.normalise import DECODED_FIELD, decode_request
from sakimori_detector.domain.taxonomy import aliases, names_of
from sakimori_detector.sigma.batch import Derived
from sakimori_detector.sigma.events import Event, FieldValue


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log source as Sigma names it; what a rule leaves out, it does not ask for."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        parts = {"category": self.category, "product": self.product, "service": self.service}
        return ", ".join(f"{name}: {value}" for name, value in parts.items() if value is not None)


_ZEEK_LOGS: Final = (
    "analyzer", "capture_loss", "conn", "dce_rpc", "dhcp", "dnp3", "dpd", "files", "ftp", "http", "intel", "irc",
    "kerberos", "known_certs", "known_hosts", "known_services", "ldap", "ldap_search", "modbus", "mqtt_connect",
    "mqtt_publish", "mqtt_subscribe", "mysql", "notice", "ntlm", "ntp", "ocsp", "pe", "postgresql", "quic", "radius",
    "rdp", "redis", "reporter", "rfb", "signatures", "sip", "smb_files", "smb_mapping", "smtp", "snmp", "socks",
    "software", "ssh", "ssl", "syslog", "tunnel", "weird", "x509",
)  # fmt: skip
_WINDOWS_CHANNELS: Final = (
    "sysmon", "security", "system", "application", "powershell", "powershell-classic", "windefend", "appmodel-runtime",
    "applocker", "appxdeployment-server", "appxpackaging-om", "bits-client", "capi2", "codeintegrity-operational",
    "diagnosis-scripted", "dns-client", "dns-server", "dns-server-analytic", "driver-framework", "firewall-as",
    "iis-configuration", "ldap", "lsa-server", "msexchange-management", "ntlm", "openssh", "printservice-admin",
    "printservice-operational", "security-mitigations", "shell-core", "smbclient-connectivity", "smbclient-security",
    "smbserver-security", "taskscheduler", "terminalservices-localsessionmanager", "vhdmp", "wmi",
)  # fmt: skip

_SENSOR_PROTOCOLS: Final = (
    "anomaly", "arp", "bacnet", "bittorrent", "coap", "dcerpc", "dhcp", "dhcpv6", "dnp3", "edonkey", "ftp", "imap",
    "irc", "kademlia", "ldap", "modbus", "mqtt", "mysql", "nbdgm", "nbns", "ndp", "ntp", "pop3", "postgresql", "quic",
    "rdp", "redis", "rfb", "rtsp", "sip", "smb", "smtp", "snmp", "ssdp", "ssh", "stratum", "telnet", "tftp", "tls",
    "websocket",
)  # fmt: skip

_LOGINS: Final = (
    "postfix", "dovecot", "exim", "sendmail", "imap", "vsftpd", "proftpd", "pureftpd", "ftpd", "mysql", "postgresql",
)  # fmt: skip
"""Daemons whose logins are a dataset of their own, so that rules for logins see those and nothing else that fails."""

LOG_SOURCES: Final[dict[str, LogSource]] = {
    "nginx.access": LogSource("webserver", "nginx", "access"),
    "apache.access": LogSource("webserver", "apache", "access"),
    "nginx.error": LogSource(None, "nginx", "error"),
    "apache.error": LogSource(None, "apache", "error"),
    "modsecurity.alert": LogSource("ids", "modsecurity", "modsecurity"),
    "openssh.auth": LogSource("authentication", "linux", "sshd"),
    "gateway.auth": LogSource("authentication", "sakimori", "sakimori"),
    "collector.source": LogSource("collector", "sakimori", "collector"),
    "chat.message": LogSource("chat", "sakimori", "chat"),
    "chat.security": LogSource("chat", "sakimori", "chat"),
    "bot.message": LogSource("bot", "sakimori", "bot"),
    "bot.security": LogSource("bot", "sakimori", "bot"),
    "network.flow": LogSource("network_connection", "sakimori", "flow"),
    "network.dns": LogSource("dns", "sakimori", "dns"),
    "network.device": LogSource("device", "sakimori", "device"),
    "network.http": LogSource("webserver", "sakimori", "http"),
    **{f"network.{name}": LogSource("network", "sakimori", name) for name in _SENSOR_PROTOCOLS},
    "sakimori.finding": LogSource("finding", "sakimori", "finding"),
    "haproxy.access": LogSource("webserver", "haproxy", "access"),
    "haproxy.tcp": LogSource(None, "haproxy", "tcp"),
    "haproxy.error": LogSource(None, "haproxy", "error"),
    "caddy.access": LogSource("webserver", "caddy", "access"),
    "traefik.access": LogSource("webserver", "traefik", "access"),
    "linux.auth": LogSource("authentication", "linux", "auth"),
    "linux.sudo": LogSource("authentication", "linux", "sudo"),
    "linux.cron": LogSource(None, "linux", "cron"),
    "linux.accounts": LogSource(None, "linux", "accounts"),
    "linux.systemd": LogSource(None, "linux", "systemd"),
    "linux.kernel": LogSource(None, "linux", "kernel"),
    "linux.syslog": LogSource(None, "linux", "syslog"),
    "gelf.log": LogSource(None, "gelf", None),
    "linux.auditd": LogSource(None, "linux", "auditd"),
    "linux.firewall": LogSource("firewall", "linux", "iptables"),
    "pfsense.filterlog": LogSource("firewall", "pfsense", "filterlog"),
    "nginx.auth": LogSource("authentication", "nginx", "auth"),
    "apache.auth": LogSource("authentication", "apache", "auth"),
    **{f"{name}.auth": LogSource("authentication", "linux", name) for name in _LOGINS},
    **{f"{name}.mail": LogSource(None, "linux", name) for name in ("postfix", "dovecot", "exim", "sendmail", "imap")},
    **{f"{name}.log": LogSource(None, "linux", name) for name in ("vsftpd", "proftpd", "pureftpd", "ftpd", "fail2ban")},
    "mysql.error": LogSource(None, "linux", "mysql"),
    "postgresql.log": LogSource(None, "linux", "postgresql"),
    "bind.named": LogSource("dns", "bind", "named"),
    "suricata.eve": LogSource("ids", "suricata", "eve"),
    **{f"zeek.{name}": LogSource(None, "zeek", name) for name in _ZEEK_LOGS},
    "zeek.dns": LogSource("dns", "zeek", "dns"),
    "aws.cloudtrail": LogSource(None, "aws", "cloudtrail"),
    "aws.vpcflow": LogSource("firewall", "aws", "vpcflow"),
    "kubernetes.audit": LogSource("application", "kubernetes", "audit"),
    **{f"windows.{name}": LogSource(None, "windows", name) for name in _WINDOWS_CHANNELS},
}
"""What each dataset is, so that `{product: linux, service: sshd}` finds the same events as `{category: ...}`."""

WEB_DATASETS: Final = frozenset(name for name, source in LOG_SOURCES.items() if source.category == "webserver")
"""Those whose events get the decoded request."""


_SYSMON: Final = "windows.sysmon"
WINDOWS_EVENTS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "process_creation": {_SYSMON: (1,), "windows.security": (4688,)},
    "file_change": {_SYSMON: (2,)},
    "network_connection": {_SYSMON: (3,), "windows.security": (5156,)},
    "sysmon_status": {_SYSMON: (4, 16)},
    "process_termination": {_SYSMON: (5,), "windows.security": (4689,)},
    "driver_load": {_SYSMON: (6,)},
    "image_load": {_SYSMON: (7,)},
    "create_remote_thread": {_SYSMON: (8,)},
    "raw_access_thread": {_SYSMON: (9,)},
    "process_access": {_SYSMON: (10,)},
    "file_event": {_SYSMON: (11,)},
    "registry_event": {_SYSMON: (12, 13, 14), "windows.security": (4657,)},
    "registry_add": {_SYSMON: (12,)},
    "registry_delete": {_SYSMON: (12,)},
    "registry_set": {_SYSMON: (13,), "windows.security": (4657,)},
    "registry_rename": {_SYSMON: (14,)},
    "create_stream_hash": {_SYSMON: (15,)},
    "pipe_created": {_SYSMON: (17, 18)},
    "wmi_event": {_SYSMON: (19, 20, 21)},
    "dns_query": {_SYSMON: (22,)},
    "file_delete": {_SYSMON: (23,)},
    "clipboard_capture": {_SYSMON: (24,)},
    "process_tampering": {_SYSMON: (25,)},
    "file_delete_detected": {_SYSMON: (26,)},
    "file_block_executable": {_SYSMON: (27,)},
    "file_block_shredding": {_SYSMON: (28,)},
    "file_executable_detected": {_SYSMON: (29,)},
    "sysmon_error": {_SYSMON: (255,)},
    "ps_module": {"windows.powershell": (4103,)},
    "ps_script": {"windows.powershell": (4104,)},
    "ps_classic_start": {"windows.powershell-classic": (400,)},
    "ps_classic_provider_start": {"windows.powershell-classic": (600,)},
    "ps_classic_script": {"windows.powershell-classic": (800,)},
}
"""Categories of Windows rules, the datasets that have such events, and their event ids there (Sigma taxonomy 2.1.0)."""


def events_of(asked: LogSource) -> dict[str, tuple[int, ...]]:
    """Name the event ids by which a dataset of Windows events has what a log source asks for."""
    if asked.product != "windows" or asked.category is None:
        return {}
    events = WINDOWS_EVENTS.get(asked.category, {})
    return {name: codes for name, codes in events.items() if asked.service in {None, LOG_SOURCES[name].service}}


@lru_cache(maxsize=4096)
def datasets_of(asked: LogSource) -> tuple[str, ...]:
    """List the datasets that have all that a log source asks for; empty when there is none."""
    found = [
        dataset
        for dataset, has in LOG_SOURCES.items()
        if asked.category in {None, has.category}
        and asked.product in {None, has.product}
        and asked.service in {None, has.service}
    ]
    return tuple(dict.fromkeys([*found, *events_of(asked)]))


def fits(asked: LogSource, dataset: str, category: str | None) -> bool:
    """Say whether events of a dataset that nobody knows are meant: each part that is asked for is named by them.

    Parts are looked for in the dataset's name (`haproxy.log` has two parts) and in `event.category`. A product goes
    without saying where its service is named: only Linux has a cron.
    """
    name = dataset.lower()
    names = {name, *_PART.split(name), *name.split("."), (category or "").lower()}

    def is_named(part: str) -> bool:
        return part in names or _CATEGORIES.get(part) in names

    has_service = asked.service is not None and is_named(asked.service.lower())
    parts = [part.lower() for part in (asked.category, asked.service) if part is not None]
    if asked.product is not None and not (has_service and (asked.product, asked.service) in _TELLING):
        parts.append(asked.product.lower())
    return bool(parts) and all(map(is_named, parts))


_PART: Final = re.compile(r"[._-]")
_VAGUE: Final = frozenset({"audit", "error", "ldap", "tcp", "files", "software", "syslog"})
_TELLING: Final = frozenset((has.product, has.service) for has in LOG_SOURCES.values() if has.service not in _VAGUE)
_CATEGORIES: Final = {
    "webserver": "web",
    "proxy": "web",
    "network_connection": "network",
    "firewall": "network",
    "ids": "intrusion_detection",
    "antivirus": "malware",
    "process_creation": "process",
    "process_access": "process",
    "process_termination": "process",
    "image_load": "library",
    "driver_load": "driver",
    **dict.fromkeys(("file_event", "file_change", "file_delete", "file_access", "file_rename"), "file"),
    **dict.fromkeys(("registry_event", "registry_set", "registry_add", "registry_delete"), "registry"),
}
"""What ECS calls in `event.category` what Sigma calls otherwise."""


@lru_cache(maxsize=4096)
def names_for(source: LogSource) -> Mapping[str, str]:
    """Give the names of ECS for the fields of the Sigma taxonomy, as rules of a log source mean them."""
    return names_of(*((part or "").lower() for part in (source.category, source.product, source.service)))


def canonical(source: LogSource, name: str) -> str:
    """Give the ECS name of a field of the Sigma taxonomy; a name that is none of those stays as it is."""
    return names_for(source).get(name, name)


ALIASES: Final[Mapping[str, tuple[str, ...]]] = aliases()
"""ECS names to the names that events of a source that was not mapped may have instead."""


def read(event: Event, name: str) -> FieldValue:
    """Read a field by its ECS name, or by what a source that was not mapped calls it; None when absent."""
    value = event.get(name)
    if value is None:
        others = (event.fields.get(other) for other in ALIASES.get(name, ()))
        value = next((other for other in others if other is not None), None)
    return value


def derived_fields(dataset: str) -> Derived:
    """Name the fields that are made of others before rules see an event of this dataset."""
    return {DECODED_FIELD: decode_request} if dataset in WEB_DATASETS else {}
