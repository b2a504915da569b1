"""The kernel: packets that iptables, nftables or ufw logged (nf_log_syslog.c), WireGuard's refusals, and the rest."""

import re
from typing import Final

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT, compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_UPTIME = re.compile(r"\[ {0,8}\d{1,9}\.\d{1,9}\] ?")
_PACKET = re.compile(r"(?P<prefix>[^\n]{0,256}?)(?=\bIN=[\w.@:-]{0,64} OUT=)(?P<packet>.*)\Z", re.DOTALL)
_PAIR = re.compile(r"(?:\A| )([A-Z]{2,16})=(\S*)")
_FLAGS: Final = ("SYN", "ACK", "FIN", "RST", "PSH", "URG", "CWR", "ECE")
_TEXTS: Final = {
    "IN": "observer.ingress.interface.name",
    "OUT": "observer.egress.interface.name",
    "PHYSIN": "iptables.physical_in",
    "PHYSOUT": "iptables.physical_out",
}
_NUMBERS: Final = {
    "SPT": "source.port",
    "DPT": "destination.port",
    "LEN": "network.bytes",
    "TTL": "iptables.ttl",
    "HOPLIMIT": "iptables.ttl",
    "TYPE": "icmp.type",
    "CODE": "icmp.code",
    "UID": "iptables.uid",
    "GID": "iptables.gid",
}
_TRANSPORTS: Final = {
    "1": "icmp",
    "2": "igmp",
    "6": "tcp",
    "17": "udp",
    "47": "gre",
    "50": "esp",
    "58": "ipv6-icmp",
    "132": "sctp",
    "icmpv6": "ipv6-icmp",
}
_DENIED: Final = re.compile(
    r"-[BDR](?:-\d{1,10})?\Z|block|drop|deny|denied|reject|refus|invalid|discard|ban|shield|martian", re.IGNORECASE
)
_ALLOWED: Final = re.compile(r"-A(?:-\d{1,10})?\Z|allow|accept|permit|pass\b|audit|\bact=accept", re.IGNORECASE)

_APPARMOR: Final = compiled(
    {
        ("host", "apparmor_denied", "failure"): (
            r"audit: type=1400 audit\([\d.:]{1,40}\): apparmor=\"DENIED\" operation=\""
            r"(?P<apparmor__operation>\w{1,64})\" "
            r"(?:class=\"\w{1,32}\" )?(?:info=\"[^\"]{0,256}\" error=-?\d{1,5} )?profile=\""
            r"(?P<apparmor__profile>[^\"]{1,512})\" "
            r"(?:name=\"(?P<file__path>[^\"]{1,4096})\" )?@rest",
        ),
    }
)
_WIREGUARD: Final = compiled(
    {
        ("network", "wireguard_refused", "failure"): (
            r"wireguard: (?P<observer__ingress__interface__name>\S{1,32}): (?:Invalid handshake initiation|Invalid "
            r"MAC of handshake, dropping packet|"
            r"Handshake for peer .{0,64}|Invalid handshake response) from @address:@port",
            r"wireguard: (?P<observer__ingress__interface__name>\S{1,32}): Packet has unallowed src IP \(\S{1,64}\) "
            r"from peer \d{1,9} \(@address:@port\)",
        ),
    }
)


def explain(line: SyslogLine) -> Fields:
    """Say what the kernel reports: a packet (dataset `linux.firewall`), a refusal, or `kernel_other`."""
    message = _UPTIME.sub("", line.message, count=1)
    if len(message) <= MESSAGE_LIMIT:
        packet = explain_packet(message)
        if packet is not None:
            packet["event.dataset"] = FIREWALL_DATASET
            return packet
        if message.startswith("wireguard: "):
            return said(message.rstrip(), _WIREGUARD) or other("network", "wireguard_other")
        if message.startswith("audit: type=1400 "):
            return said(message, _APPARMOR) or other("host", "kernel_other")
    return other("host", "kernel_other")


def explain_packet(message: str) -> Fields | None:
    """Read `prefix IN=eth0 OUT= MAC=.. SRC=.. DST=.. PROTO=TCP SPT=.. DPT=..`; None for what is no packet.

    Whether it was let through only the prefix can tell, which the operator chose: where it says neither, the action is
    `firewall_logged`.
    """
    match = _PACKET.match(message)
    if match is None:
        return None
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(
        match["packet"].partition(" [")[0] if "PROTO=ICMP" in match["packet"] else match["packet"]
    ):
        pairs.setdefault(key, value)
    source, destination = canonical_ip(pairs.get("SRC", "")), canonical_ip(pairs.get("DST", ""))
    if source is None and destination is None and "MAC" not in pairs:
        return None
    fields = _verdict(match["prefix"].strip().lstrip("[").partition("]")[0].strip(" :"))
    fields |= {name: address for name, address in (("source.ip", source), ("destination.ip", destination)) if address}
    if source or destination:
        fields["network.type"] = "ipv6" if ":" in (source or destination or "") else "ipv4"
    _put_values(fields, pairs)
    flags = [flag for flag in _FLAGS if f" {flag} " in match["packet"]]
    if flags:
        fields["iptables.tcp.flags"] = " ".join(flags)
    return fields


def _verdict(prefix: str) -> Fields:
    fields = other("network", "firewall_logged")
    if prefix:
        fields["rule.name"] = prefix[:256]
    if _DENIED.search(prefix):
        fields["event.action"], fields["event.outcome"] = "firewall_denied", "failure"
    elif _ALLOWED.search(prefix):
        fields["event.action"], fields["event.outcome"] = "firewall_allowed", "success"
    return fields


def _put_values(fields: Fields, pairs: dict[str, str]) -> None:
    for key, name in _TEXTS.items():
        if pairs.get(key):
            fields[name] = pairs[key]
    for key, name in _NUMBERS.items():
        value = pairs.get(key, "")
        if value.isascii() and value.isdecimal() and len(value) < 12:
            fields[name] = int(value)
    protocol = pairs.get("PROTO", "").lower()
    if protocol:
        fields["network.transport"] = _TRANSPORTS.get(protocol, protocol)
    octets = pairs.get("MAC", "").upper().split(":")
    if len(octets) == 14 and all(len(octet) == 2 for octet in octets):
        fields["destination.mac"], fields["source.mac"] = "-".join(octets[:6]), "-".join(octets[6:12])


FIREWALL_DATASET: Final = "linux.firewall"
KERNEL = Program("linux.kernel", frozenset({"kernel", "ulogd", "vmunix"}), explain)
