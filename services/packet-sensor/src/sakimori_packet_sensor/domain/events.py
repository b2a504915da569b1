"""What the sensor saw, as events (docs/reference/fields.md).

An id is a function of what the event is about: time, 5-tuple, and the place of its (first) packet in the capture. So
a capture that is read twice, or read again after it grew, leaves one trace.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from sakimori_common.contracts import Event, FieldValue
from sakimori_common.ids import event_id
from sakimori_common.instants import format_instant
from sakimori_packet_sensor.domain.addresses import ip_text, is_multicast, mac_text
from sakimori_packet_sensor.domain.decode import NO_PORT, ArpPacket, IpPacket
from sakimori_packet_sensor.domain.sightings import Sighting
from sakimori_packet_sensor.domain.domain_names import entropy, registered_domain, subdomain, unescaped
from sakimori_packet_sensor.domain.flows import Flow
from sakimori_packet_sensor.domain.flows.icmp import COUNTERPARTS
from sakimori_packet_sensor.domain.protocols.dns import DnsMessage

_TRANSPORTS: Final = {
    0: "hopopt", 1: "icmp", 2: "igmp", 4: "ipv4", 6: "tcp", 17: "udp", 41: "ipv6", 46: "rsvp", 47: "gre", 50: "esp",
    51: "ah", 58: "ipv6-icmp", 59: "ipv6-nonxt", 88: "eigrp", 89: "ospfigp", 103: "pim", 112: "vrrp", 132: "sctp",
    136: "udplite",
}  # fmt: skip

Fields = dict[str, FieldValue]
Origin = Mapping[str, FieldValue]
"""Fields that every event of a capture has: who saw it and where it came from."""


def flow_event(flow: Flow, origin: Origin) -> Event:
    """Report a flow; its time is that of its first packet."""
    fields: Fields = {"event.category": "network", **origin, **_network(flow.protocol, flow.source, flow.protocol_name)}
    fields |= _ends(flow.source, flow.source_port, flow.destination, flow.destination_port, flow.protocol)
    if flow.source_mac:
        fields["source.mac"] = mac_text(flow.source_mac)
    if flow.destination_mac:
        fields["destination.mac"] = mac_text(flow.destination_mac)
    fields |= {
        "source.bytes": flow.source_bytes,
        "source.packets": flow.source_packets,
        "destination.bytes": flow.destination_bytes,
        "destination.packets": flow.destination_packets,
        "network.bytes": flow.source_bytes + flow.destination_bytes,
        "network.packets": flow.source_packets + flow.destination_packets,
        "event.start": format_instant(flow.start),
        "event.end": format_instant(flow.last),
        "event.duration": (flow.last - flow.start) * 1000,
        "sakimori.flow.state": flow.state.value,
        "network.community_id": flow.community_id,
    }
    if flags := flow.tcp_flags:
        fields["sakimori.flow.tcp_flags"] = flags
    identity = _identity(flow, flow.number)
    return Event(event_id(flow.start, "network.flow", *identity), flow.start, "network.flow", fields)


def dns_events(message: DnsMessage, packet: IpPacket, flow: Flow, place: int, origin: Origin) -> Iterator[Event]:
    """Report a message, the `place`-th of its packet: one event a question, or one when there is none.

    The source is the side that asks; of an answer to a group (multicast DNS) it is the sender, since nobody asked.
    """
    is_turned = message.is_answer and not is_multicast(packet.destination)
    sender, receiver = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
    source, destination = (receiver, sender) if is_turned else (sender, receiver)
    common: Fields = {
        "event.category": "network",
        **origin,
        **_network(flow.protocol, flow.source, flow.protocol_name),
        **_ends(*source, *destination, packet.protocol),
        "network.community_id": flow.community_id,
        "dns.id": str(message.id),
        "dns.type": "answer" if message.is_answer else "query",
        "dns.op_code": message.operation,
    }
    if message.is_answer:
        common["dns.response_code"] = message.response_code
    if message.answers:
        common["dns.answers.name"] = [answer.name for answer in message.answers]
        common["dns.answers.type"] = [answer.kind for answer in message.answers]
        common["dns.answers.data"] = [answer.data for answer in message.answers]
    questions: list[Fields] = [_question(question.name, question.kind) for question in message.questions] or [{}]
    for index, question in enumerate(questions):
        identity = _identity(packet, packet.number, place, index)
        yield Event(event_id(packet.time, "network.dns", *identity), packet.time, "network.dns", {**common, **question})


@lru_cache(16_384)
def _question(name: str, kind: str) -> Fields:
    """Describe a question; names come again and again, so this is remembered and must not be changed."""
    fields: Fields = {
        "dns.question.name": name,
        "dns.question.type": kind,
        "sakimori.dns.name_length": len(unescaped(name)),
    }
    if registered := registered_domain(name):
        fields["dns.question.registered_domain"] = registered
    if below := subdomain(name, registered):
        fields["dns.question.subdomain"] = below
        fields["sakimori.dns.subdomain_entropy"] = round(entropy(unescaped(below).replace(".", "")), 4)
    return fields


def device_event(sighting: Sighting, packet: IpPacket | ArpPacket, origin: Origin) -> Event:
    """Report that a device was seen."""
    fields: Fields = {
        "event.category": "network",
        **origin,
        "event.action": "device.sighted",
        "device.mac": mac_text(sighting.mac),
        "device.evidence": sighting.evidence,
    }
    if sighting.ip:
        fields["device.ip"] = ip_text(sighting.ip)
    for name, value in (
        ("device.hostname", sighting.hostname),
        ("device.vendor_class", sighting.vendor_class),
        ("device.dhcp.fingerprint", sighting.fingerprint),
    ):
        if value:
            fields[name] = value
    identity = (sighting.mac, sighting.ip, sighting.evidence, str(packet.number))
    return Event(event_id(packet.time, "network.device", *identity), packet.time, "network.device", fields)


def _network(protocol: int, address: bytes, application: str) -> Fields:
    fields: Fields = {"network.type": "ipv4" if len(address) == 4 else "ipv6"}
    if transport := _TRANSPORTS.get(protocol):
        fields["network.transport"] = transport
    else:
        fields["network.iana_number"] = str(protocol)
    if application:
        fields["network.protocol"] = application
    return fields


def _ends(source: bytes, source_port: int, destination: bytes, destination_port: int, protocol: int) -> Fields:
    fields: Fields = {"source.ip": ip_text(source), "destination.ip": ip_text(destination)}
    if source_port != NO_PORT and protocol not in COUNTERPARTS:
        fields["source.port"] = source_port
        fields["destination.port"] = destination_port
    return fields


def _identity(ends: Flow | IpPacket, *numbers: int) -> tuple[bytes, bytes, str]:
    return ends.source, ends.destination, f"{ends.protocol} {ends.source_port} {ends.destination_port} {numbers}"
