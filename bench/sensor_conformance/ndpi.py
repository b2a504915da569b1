"""Flows with protocol, host name, JA4 and user agent, as nDPI's own test results have them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.conformance import Check, Flat
from bench.sensor_conformance.check import events_of

PROTOCOLS: Final = {
    "TLS": "tls", "QUIC": "quic", "DNS": "dns", "HTTP": "http", "BitTorrent": "bittorrent", "NTP": "ntp",
    "DHCP": "dhcp",
    "DHCPV6": "dhcpv6", "SIP": "sip", "MQTT": "mqtt", "SSH": "ssh", "RDP": "rdp", "SMBv1": "smb", "SMBv23": "smb",
    "MDNS": "mdns", "LLMNR": "llmnr", "SSDP": "ssdp", "SNMP": "snmp", "TFTP": "tftp", "CoAP": "coap", "COAP": "coap",
    "Telnet": "telnet", "FTP_CONTROL": "ftp", "IRC": "irc", "RTSP": "rtsp", "Modbus": "modbus", "DNP3": "dnp3",
    "BACnet": "bacnet", "IMAP": "imap", "POP3": "pop3", "SMTP": "smtp", "NetBIOS": "nbns", "MySQL": "mysql",
    "PostgreSQL": "postgresql", "Redis": "redis", "LDAP": "ldap", "VNC": "vnc", "Mining": "stratum",
    "Kerberos": "kerberos",
    "WebSocket": "http", "HTTP_Connect": "http", "DoH_DoT": "tls", "SMTPS": "tls", "DTLS": "dtls", "TiVoConnect": "",
}  # fmt: skip
"""nDPI's names of the protocols that the sensor promises; the part behind a dot (a service) is not looked at."""


def checks(data: Path) -> Iterator[Check]:
    """Compare protocol and the fields of each listed flow whose protocol the sensor promises."""
    for capture in json.loads((data / "pcaps" / "ndpi" / "expected.json").read_text()):
        flows = [flow for flow in capture["flows"] if PROTOCOLS.get(_main(flow["proto"]))]
        if not flows:
            continue
        name = Path(capture["pcap"]).name
        events = events_of(data / capture["pcap"])
        for number, flow in enumerate(flows, 1):
            yield from _flow_checks(f"{name}#{number}", flow, events)


def _main(protocol: str) -> str:
    return protocol.split(".", maxsplit=1)[0]


def _flow_checks(name: str, flow: dict[str, Any], events: list[Flat]) -> Iterator[Check]:
    protocol = PROTOCOLS[_main(flow["proto"])]
    ours = _of_flow(flow, events)
    found = {str(event.get("network.protocol", "")) for event in ours}
    yield Check(
        "ndpi", protocol, name, f"{flow['proto']} {flow['a']} {flow['b']}", ",".join(sorted(found)), protocol in found
    )
    if protocol not in found:
        return
    for key, fields in _FIELDS.items():
        if key in flow:
            values = {text for event in ours for field in fields for text in _texts(event.get(field))}
            agrees = any(flow[key].casefold() in (text, text.rstrip(".")) for text in values)
            yield Check("ndpi", protocol, f"{name} {key}", flow[key], ",".join(sorted(values))[:120], agrees)


_FIELDS: Final = {
    "host": (
        "tls.client.server_name", "url.domain", "dns.question.name", "dhcp.hostname", "nbns.name", "ssdp.host",
        "sip.uri", "http.request.headers.host",
    ),
    "ja4": ("tls.client.ja4",),
    "user_agent": ("user_agent.original",),
}  # fmt: skip


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item).casefold() for item in value] if isinstance(value, list) else [str(value).casefold()]


def _of_flow(flow: dict[str, Any], events: list[Flat]) -> list[Flat]:
    ends = {flow["a"], flow["b"]}
    return [
        event
        for event in events
        if "source.ip" in event and {_end(event, "source"), _end(event, "destination")} == ends
    ]


def _end(event: Flat, side: str) -> str:
    address, port = event[f"{side}.ip"], event.get(f"{side}.port", 0)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
