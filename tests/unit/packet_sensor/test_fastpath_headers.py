"""From frames to what the flow table and the decoders are given."""

from typing import NamedTuple

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, LLC, SNAP, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.sctp import SCTP

from packets.blocks import block_of
from packets.frames import CLIENT, SERVER, START, ping, segment
from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.conversations.rows import FlowRow, flow_rows
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT, Kind, Undecoded
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits

IP4 = IP(src=CLIENT, dst=SERVER)
IP6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
UDP_4000 = UDP(sport=4000, dport=5000) / b"payload"


class Seen(NamedTuple):
    """What came of one frame."""

    flow: FlowRow
    payload: bytes


def fed(data: bytes, link_type: int, wire_bytes: int | None) -> FastPath:
    fast = FastPath(FlowLimits(flows=10))
    fast.process(block_of([(START, link_type, len(data) if wire_bytes is None else wire_bytes, data)]), 0)
    return fast


def ip(data: bytes, link_type: int = 1, wire_bytes: int | None = None) -> Seen:
    fast = fed(data, link_type, wire_bytes)
    marks = fast.marks()
    payload = b""
    for mark in marks[marks["kind"] == Kind.PAYLOAD]:
        payload = data[mark["payload_at"] : mark["payload_at"] + mark["payload_bytes"]]
    fast.finish()
    [flow] = flow_rows(fast.take_ended().flows)
    return Seen(flow, payload)


def reason(data: bytes, link_type: int = 1) -> Undecoded:
    counts = fed(data, link_type, None).counts
    assert counts.flows == 0
    [why] = [why for why, count in counts.undecoded.items() if count]
    return why


def test_a_tcp_segment_tells_addresses_ports_flags_and_payload() -> None:
    packet = ip(segment("PA", port=80, client_port=40_001, seq=7, load=b"GET /"))
    flow = packet.flow
    assert (ip_text(flow.source), flow.source_port) == (CLIENT, 40_001)
    assert (ip_text(flow.destination), flow.destination_port) == (SERVER, 80)
    assert (flow.protocol, flow.source_flags, packet.payload) == (6, 0x18, b"GET /")
    assert flow.source_bytes == 45
    assert [mac_text(mac) for mac in (flow.source_mac, flow.destination_mac)] == [
        "00-00-5E-00-53-01",
        "00-00-5E-00-53-02",
    ]


@pytest.mark.parametrize(
    ("link_type", "header"),
    [
        (0, "02000000"),
        (0, "00000002"),
        (108, "00000002"),
        (12, ""),
        (14, ""),
        (101, ""),
        (228, ""),
        (113, "0000 0001 0006 00005e005301 0000 0800"),
        (113, "0000 0001 0006 00005e005301 0000 8100 0007 0800"),
        (276, "0800 0000 00000003 0001 00 06 00005e005301 0000"),
    ],
)
def test_link_layers_lead_to_the_same_packet(link_type: int, header: str) -> None:
    packet = ip(bytes.fromhex(header) + bytes(IP4 / UDP_4000), link_type)
    assert (packet.flow.source_port, packet.flow.destination_port, packet.payload) == (4000, 5000, b"payload")


@pytest.mark.parametrize(("link_type", "header"), [(0, "1c000000"), (108, "0000001e"), (101, ""), (229, "")])
def test_ipv6_over_links_without_ethernet(link_type: int, header: str) -> None:
    packet = ip(bytes.fromhex(header) + bytes(IP6 / UDP_4000), link_type)
    assert (ip_text(packet.flow.source), packet.flow.source_port) == ("2001:db8::1", 4000)


@pytest.mark.parametrize(
    "frame",
    [
        Ether() / Dot1Q(vlan=5) / IP4 / UDP_4000,
        Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / IP4 / UDP_4000,
        Ether() / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP4 / UDP_4000,
        Dot3() / LLC() / SNAP(code=0x0800) / IP4 / UDP_4000,
        Ether() / IP(src=CLIENT, dst=SERVER, options=[IPOption_Router_Alert()]) / UDP_4000,
        Ether() / IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / UDP_4000,
        Ether() / IP6 / IPv6ExtHdrFragment(offset=0, m=0) / UDP_4000,
    ],
)
def test_tags_options_and_extension_headers_are_passed_over(frame: Ether) -> None:
    packet = ip(bytes(frame))
    assert (packet.flow.source_port, packet.flow.destination_port, packet.payload) == (4000, 5000, b"payload")


def test_sctp_has_ports_and_icmp_has_type_and_code() -> None:
    assert ip(bytes(Ether() / IP4 / SCTP(sport=7, dport=8))).flow.destination_port == 8
    assert ip(ping()).flow.source_port == 8
    assert ip(bytes(Ether() / IP6 / ICMPv6EchoRequest())).flow.source_port == 128


def test_only_the_first_fragment_has_ports() -> None:
    first = ip(bytes(Ether() / IP(src=CLIENT, dst=SERVER, id=9, flags="MF") / UDP_4000))
    later = ip(bytes(Ether() / IP(src=CLIENT, dst=SERVER, id=9, frag=3, proto=17) / b"more payload"))
    of_ipv6 = ip(bytes(Ether() / IP6 / IPv6ExtHdrFragment(offset=4, m=1, id=77, nh=17) / (b"x" * 8)))
    assert [packet.flow.source_port for packet in (first, later, of_ipv6)] == [4000, NO_PORT, NO_PORT]
    assert [packet.flow.protocol for packet in (first, later, of_ipv6)] == [17, 17, 17]


def test_padding_of_ethernet_is_no_payload_and_no_traffic() -> None:
    packet = ip(bytes(Ether() / IP4 / UDP(sport=1, dport=2) / b"ab") + b"\0" * 16)
    assert (packet.flow.source_bytes, packet.payload) == (30, b"ab")


def test_a_frame_cut_by_the_snaplen_still_counts_whole() -> None:
    whole = segment("A", load=b"x" * 1000)
    packet = ip(whole[:60], wire_bytes=len(whole))
    assert (packet.flow.source_bytes, packet.payload) == (1040, b"xxxxxx")


@pytest.mark.parametrize("stated", [0, 65_535])
def test_a_length_left_to_the_network_card_or_impossible_is_that_of_the_frame(stated: int) -> None:
    frame = bytearray(segment("A", load=b"x" * 100))
    frame[16:18] = stated.to_bytes(2, "big")
    assert ip(bytes(frame)).flow.source_bytes == 140


def test_a_wire_length_below_what_was_captured_is_not_believed() -> None:
    assert ip(segment("A", load=b"x" * 100), wire_bytes=1).flow.source_bytes == 140


def test_an_arp_message_is_handed_on_whole() -> None:
    frame = bytes(Ether() / ARP(op=2, hwsrc="00:00:5e:00:53:07", psrc=CLIENT, hwdst="00:00:5e:00:53:08", pdst=SERVER))
    marks = fed(frame, 1, None).marks()
    [mark] = marks[marks["kind"] == Kind.ARP]
    assert frame[mark["payload_at"] :][: mark["payload_bytes"]] == frame[14:]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", Undecoded.TRUNCATED),
        (b"\0" * 13, Undecoded.TRUNCATED),
        (bytes(Ether() / Dot1Q())[:16], Undecoded.TRUNCATED),
        (segment("S")[:30], Undecoded.TRUNCATED),
        (segment("S")[:40], Undecoded.TRUNCATED),
        (bytes(Ether() / IP6 / UDP_4000)[:50], Undecoded.TRUNCATED),
        (bytes(Ether() / ARP())[:30], Undecoded.TRUNCATED),
        (bytes(Dot3() / LLC() / STP()), Undecoded.NETWORK_PROTOCOL),
        (bytes(Ether(type=0x88CC)) + b"lldp", Undecoded.NETWORK_PROTOCOL),
        (bytes(Ether() / IP(ihl=4) / UDP_4000), Undecoded.MALFORMED),
        (bytes(Ether() / IP(len=19) / UDP_4000), Undecoded.MALFORMED),
        (bytes(Ether(type=0x0800) / IP6 / UDP_4000), Undecoded.MALFORMED),
        (bytes(Ether(type=0x86DD) / IP4 / UDP_4000 / (b"x" * 20)), Undecoded.MALFORMED),
        (bytes(Ether() / IP4 / TCP(dataofs=4)), Undecoded.MALFORMED),
        (bytes(Ether() / ARP(hwlen=8)), Undecoded.MALFORMED),
        (b"\0" * 14 + b"", Undecoded.NETWORK_PROTOCOL),
    ],
)
def test_what_cannot_be_decoded_says_why(frame: bytes, expected: Undecoded) -> None:
    assert reason(frame) is expected


def test_an_unknown_link_type_is_counted_as_such() -> None:
    assert reason(b"anything", link_type=105) is Undecoded.LINK_TYPE


def test_an_endless_chain_of_extension_headers_ends() -> None:
    chain = b"\0\0\0\0\0\0\0\0" * 100  # hop-by-hop, next: hop-by-hop, ...
    assert reason(bytes(Ether() / IPv6(nh=0) / chain)) is Undecoded.MALFORMED
