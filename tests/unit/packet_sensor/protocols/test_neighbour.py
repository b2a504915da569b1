"""IPv6 neighbour discovery, judged by Scapy."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)

from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.neighbour import decode_neighbour

MAC = "00:00:5e:00:53:01"
ADVERTISEMENT = (
    ICMPv6ND_RA(chlim=64, M=0, O=1, prf=1, routerlifetime=1800)
    / ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    / ICMPv6NDOptMTU(mtu=1492)
    / ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64)
    / ICMPv6NDOptPrefixInfo(prefix="2001:db8:2::", prefixlen=48)
    / ICMPv6NDOptRDNSS(dns=["2001:db8::53", "2001:db8::54"])
    / ICMPv6NDOptDNSSL(searchlist=["example.com.", "example.org."])
)


def icmp(message: Any) -> bytes:
    return bytes(IPv6(src="fe80::1", dst="ff02::1") / message)[40:]


def test_a_router_tells_its_networks_and_name_servers() -> None:
    assert decode_neighbour(icmp(ADVERTISEMENT)) == {
        "ndp.type": "router_advertisement",
        "ndp.is_router": True,
        "ndp.hop_limit": 64,
        "ndp.is_managed": False,
        "ndp.has_other_configuration": True,
        "ndp.router_preference": "high",
        "ndp.router_lifetime_seconds": 1800,
        "ndp.reachable_milliseconds": 0,
        "ndp.retransmit_milliseconds": 0,
        "ndp.source_mac": "00-00-5E-00-53-01",
        "ndp.mtu": 1492,
        "ndp.prefixes": ["2001:db8:1::/64", "2001:db8:2::/48"],
        "ndp.dns_servers": ["2001:db8::53", "2001:db8::54"],
        "ndp.search_domains": ["example.com", "example.org"],
    }


def test_who_asks_for_an_address_and_who_has_it() -> None:
    solicitation = icmp(ICMPv6ND_NS(tgt="2001:db8::7") / ICMPv6NDOptSrcLLAddr(lladdr=MAC))
    assert decode_neighbour(solicitation) == {
        "ndp.type": "neighbor_solicitation",
        "ndp.target_ip": "2001:db8::7",
        "ndp.source_mac": "00-00-5E-00-53-01",
    }
    answer = icmp(ICMPv6ND_NA(R=0, S=1, O=1, tgt="2001:db8::7") / ICMPv6NDOptDstLLAddr(lladdr=MAC))
    assert decode_neighbour(answer) == {
        "ndp.type": "neighbor_advertisement",
        "ndp.target_ip": "2001:db8::7",
        "ndp.is_router": False,
        "ndp.is_solicited": True,
        "ndp.is_override": True,
        "ndp.target_mac": "00-00-5E-00-53-01",
    }


def test_a_redirect_tells_who_shall_be_used_for_what() -> None:
    fields = decode_neighbour(icmp(ICMPv6ND_Redirect(tgt="fe80::2", dst="2001:db8::9")))
    assert (fields["ndp.type"], fields["ndp.target_ip"], fields["ndp.destination_ip"]) == (
        "redirect",
        "fe80::2",
        "2001:db8::9",
    )


def test_a_router_solicitation_needs_nothing_else() -> None:
    assert decode_neighbour(icmp(ICMPv6ND_RS())) == {"ndp.type": "router_solicitation"}


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        bytes([128]) + bytes(30),
        icmp(ICMPv6ND_NS(tgt="2001:db8::7"))[:23],
        icmp(ICMPv6ND_NS(tgt="2001:db8::7")) + b"\x01\x00" + bytes(6),
        icmp(ICMPv6ND_NS(tgt="2001:db8::7")) + b"\x01\x02" + bytes(6),
        icmp(ICMPv6ND_NS(tgt="2001:db8::7")) + b"\x01",
    ],
)
def test_what_is_cut_or_has_options_without_length_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_neighbour(junk)


def test_many_prefixes_are_bounded() -> None:
    many = icmp(ICMPv6ND_RA()) + bytes(ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64)) * 200
    prefixes = decode_neighbour(many)["ndp.prefixes"]
    assert isinstance(prefixes, list)
    assert len(prefixes) == 64


RAW = icmp(ADVERTISEMENT)


@settings(deadline=None)
@given(st.integers(0, len(RAW)), st.binary(max_size=4), st.integers(0, len(RAW)))
def test_mutated_messages_are_read_or_refused(at: int, change: bytes, size: int) -> None:
    with suppress(Malformed):
        decode_neighbour((RAW[:at] + change + RAW[at + len(change) :])[:size])


@settings(deadline=None)
@given(st.sampled_from([133, 134, 135, 136, 137]), st.binary(max_size=120))
def test_random_bytes_are_read_or_refused(kind: int, data: bytes) -> None:
    with suppress(Malformed):
        decode_neighbour(bytes([kind]) + data)
