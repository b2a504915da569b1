"""Frames to damage: something of everything that the fast path reads."""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, Dot1Q, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE

from packets.frames import CLIENT, SERVER

IP4, IP6 = IP(src=CLIENT, dst=SERVER), IPv6(src="2001:db8::1", dst="fe80::2")
DATAGRAM = UDP(sport=4000, dport=5000) / b"payload"
SAMPLES = (
    bytes(Ether() / IP4 / TCP(flags="PA") / b"payload"),
    bytes(Ether() / Dot1Q() / IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(m=1) / DATAGRAM),
    bytes(Ether() / IP6 / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(offset=3, nh=17) / DATAGRAM),
    bytes(Ether() / ARP()),
    bytes(Ether() / IP4 / GRE() / IP4 / IP4 / IP4 / DATAGRAM),
    bytes(Ether() / IP4 / IP4 / IP4 / IP4 / IP4 / IP4 / DATAGRAM),
    bytes(Ether() / IP4 / GRE(proto=0x6558) / Ether() / Dot1Q(vlan=3) / IP6 / DATAGRAM),
    bytes(Ether() / IP4 / GRE(proto=0x88BE, seqnum_present=1) / (b"12345678" + bytes(Ether() / IP4 / DATAGRAM))),
    bytes(Ether() / IP6 / IP4 / DATAGRAM),
    bytes(Ether() / PPPoE(sessionid=1) / PPP(proto=0x21) / IP4 / DATAGRAM),
    bytes(Ether(type=0x8847) / (b"\0\x01\x00\x40\0\x02\x01\x40" + bytes(IP4 / DATAGRAM))),
    bytes(Dot3() / LLC() / SNAP(code=0x0800) / IP4 / DATAGRAM),
    bytes(Ether() / IP6 / ICMPv6ND_NS()),
    bytes(Ether() / IP6 / ICMPv6EchoRequest()),
    bytes.fromhex("02000000") + bytes(IP4 / DATAGRAM),
    bytes.fromhex("0000000100060000 5e0053010000 8100 0007 0800".replace(" ", "")) + bytes(IP4 / DATAGRAM),
    bytes.fromhex("0800000000000003000100060000 5e0053010000".replace(" ", "")) + bytes(IP4 / DATAGRAM),
    bytes.fromhex("ff030021") + bytes(IP4 / DATAGRAM),
    bytes(IP4 / DATAGRAM),
    bytes(Ether()) + b"\x81\x00\0\x07" * 12,
)
"""Frames with all kinds of headers, of several link types."""
LINK_TYPES = (1, 1, 1, 1, 0, 9, 12, 50, 101, 108, 113, 228, 229, 276, 105)
"""Those that are read, Ethernet more often than the others, and one that is not."""
