"""From frames to packets."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

from packets.frames import CLIENT, SERVER, ping, segment
from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.decode import NO_PORT, ArpPacket, IpPacket, Undecodable, Undecoded, decode

IP4 = IP(src=CLIENT, dst=SERVER)
IP6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
UDP_4000 = UDP(sport=4000, dport=5000) / b"payload"


def ip(data: bytes, link_type: int = 1, wire_bytes: int | None = None) -> IpPacket:
    packet = decode(link_type, data, wire_bytes or len(data))
    assert isinstance(packet, IpPacket)
    return packet


def reason(data: bytes, link_type: int = 1) -> Undecoded:
    with pytest.raises(Undecodable) as refusal:
        decode(link_type, data, len(data))
    return refusal.value.reason


def test_a_tcp_segment_tells_addresses_ports_flags_and_payload() -> None:
    packet = ip(segment("PA", port=80, client_port=40_001, seq=7, load=b"GET /"))
    assert (ip_text(packet.source), packet.source_port) == (CLIENT, 40_001)
    assert (ip_text(packet.destination), packet.destination_port) == (SERVER, 80)
    assert (packet.protocol, packet.tcp_flags, packet.sequence, packet.payload) == (6, 0x18, 7, b"GET /")
    assert packet.ip_bytes == 45
    assert [mac_text(mac) for mac in packet.link[2:]] == ["00-00-5E-00-53-01", "00-00-5E-00-53-02"]


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
    assert (packet.source_port, packet.destination_port, packet.payload) == (4000, 5000, b"payload")


@pytest.mark.parametrize(("link_type", "header"), [(0, "1c000000"), (108, "0000001e"), (101, ""), (229, "")])
def test_ipv6_over_links_without_ethernet(link_type: int, header: str) -> None:
    packet = ip(bytes.fromhex(header) + bytes(IP6 / UDP_4000), link_type)
    assert (ip_text(packet.source), packet.source_port) == ("2001:db8::1", 4000)


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
    assert (packet.source_port, packet.destination_port, packet.payload) == (4000, 5000, b"payload")
    assert packet.fragment is None


def test_sctp_has_ports_and_icmp_has_type_and_code() -> None:
    assert ip(bytes(Ether() / IP4 / SCTP(sport=7, dport=8))).destination_port == 8
    assert ip(ping()).source_port == 8
    assert ip(bytes(Ether() / IP6 / ICMPv6EchoRequest())).source_port == 128


def test_only_the_first_fragment_has_ports() -> None:
    first = ip(bytes(Ether() / IP(src=CLIENT, dst=SERVER, id=9, flags="MF") / UDP_4000))
    later = ip(bytes(Ether() / IP(src=CLIENT, dst=SERVER, id=9, frag=3, proto=17) / b"more payload"))
    assert first.fragment is not None
    assert later.fragment is not None
    assert (first.source_port, first.fragment.is_first) == (4000, True)
    assert (later.source_port, later.fragment.is_first, later.fragment.identification) == (NO_PORT, False, 9)


def test_ipv6_fragments_are_told_apart_too() -> None:
    later = ip(bytes(Ether() / IP6 / IPv6ExtHdrFragment(offset=4, m=1, id=77, nh=17) / (b"x" * 8)))
    assert later.fragment is not None
    assert (later.protocol, later.source_port, later.fragment.identification) == (17, NO_PORT, 77)


def test_padding_of_ethernet_is_no_payload_and_no_traffic() -> None:
    packet = ip(bytes(Ether() / IP4 / UDP(sport=1, dport=2) / b"ab") + b"\0" * 16)
    assert (packet.ip_bytes, packet.payload) == (30, b"ab")


def test_a_frame_cut_by_the_snaplen_still_counts_whole() -> None:
    whole = segment("A", load=b"x" * 1000)
    packet = ip(whole[:60], wire_bytes=len(whole))
    assert (packet.ip_bytes, packet.payload) == (1040, b"xxxxxx")


@pytest.mark.parametrize("stated", [0, 65_535])
def test_a_length_left_to_the_network_card_or_impossible_is_that_of_the_frame(stated: int) -> None:
    frame = bytearray(segment("A", load=b"x" * 100))
    frame[16:18] = stated.to_bytes(2, "big")
    assert ip(bytes(frame)).ip_bytes == 140


def test_a_wire_length_below_what_was_captured_is_not_believed() -> None:
    assert ip(segment("A", load=b"x" * 100), wire_bytes=1).ip_bytes == 140


def test_arp_tells_who_has_which_address() -> None:
    frame = bytes(Ether() / ARP(op=2, hwsrc="00:00:5e:00:53:07", psrc=CLIENT, hwdst="00:00:5e:00:53:08", pdst=SERVER))
    packet = decode(1, frame, len(frame))
    assert isinstance(packet, ArpPacket)
    assert (packet.operation, mac_text(packet.sender_mac), ip_text(packet.sender_ip)) == (
        2,
        "00-00-5E-00-53-07",
        CLIENT,
    )


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
    assert reason(b"anything", link_type=9) is Undecoded.LINK_TYPE


def test_an_endless_chain_of_extension_headers_ends() -> None:
    chain = b"\0\0\0\0\0\0\0\0" * 100  # hop-by-hop, next: hop-by-hop, ...
    assert reason(bytes(Ether() / IPv6(nh=0) / chain)) is Undecoded.MALFORMED


SAMPLES = [
    segment("S"),
    ping(),
    bytes(Ether() / Dot1Q() / IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(m=1) / UDP_4000),
    bytes(Ether() / ARP()),
]


@settings(deadline=None)
@given(st.sampled_from([0, 1, 12, 101, 108, 113, 228, 229, 276, 9]), st.binary(max_size=200), st.integers(0, 1 << 32))
def test_random_frames_are_decoded_or_refused(link_type: int, data: bytes, wire_bytes: int) -> None:
    with suppress(Undecodable):
        decode(link_type, data, wire_bytes)


@settings(deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 80), st.binary(max_size=6), st.integers(0, 120))
def test_mutated_frames_are_decoded_or_refused(good: bytes, at: int, change: bytes, length: int) -> None:
    data = (good[:at] + change + good[at + len(change) :])[:length]
    with suppress(Undecodable):
        packet = decode(1, data, len(data))
        if isinstance(packet, IpPacket):
            assert 20 <= packet.ip_bytes <= max(len(data), 40)
            assert len(packet.payload) <= len(data)
