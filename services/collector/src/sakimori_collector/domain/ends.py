"""The two ends of what a network log tells of, and what is common to such logs."""

from typing import Final

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.json_kind import number_of

TRANSPORTS: Final = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp",
    89: "ospf", 103: "pim", 112: "vrrp", 132: "sctp",
}  # fmt: skip
"""IANA's protocol numbers as `network.transport` names them."""


def put_end(fields: Fields, side: str, address: object, port: object = None) -> None:
    """Set `<side>.ip` (or `.domain` for a name) and `<side>.port`; what is neither is left out."""
    if isinstance(address, str) and address and address != "-":
        ip = canonical_ip(address)
        if ip is not None:
            fields[f"{side}.ip"] = ip
        elif len(address) <= 253 and not any(character.isspace() for character in address):
            fields[f"{side}.domain"] = address
    number = number_of(port)
    if number is not None and 0 < number <= 65_535:
        fields[f"{side}.port"] = number


def put_host_port(fields: Fields, side: str, text: str) -> None:
    """The same for `192.0.2.1:80`, `[2001:db8::1]:80` and addresses without a port."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and host[:1] != "["):
        host, port = text, ""
    put_end(fields, side, host.strip("[]"), port)


def put_totals(fields: Fields) -> None:
    """Set `network.bytes` and `.packets` where both sides are known."""
    for unit in ("bytes", "packets"):
        source, destination = fields.get(f"source.{unit}"), fields.get(f"destination.{unit}")
        if isinstance(source, int) and isinstance(destination, int):
            fields[f"network.{unit}"] = source + destination


def put_transport(fields: Fields, protocol: object) -> None:
    """Set `network.transport` from a name or IANA's number."""
    number = number_of(protocol)
    if number is not None:
        if number in TRANSPORTS:
            fields["network.transport"] = TRANSPORTS[number]
        else:
            fields["network.iana_number"] = str(number)
    elif isinstance(protocol, str) and protocol:
        fields["network.transport"] = protocol.lower()
