"""ARP, judged by Scapy."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import ARP

from sakimori_packet_sensor.domain.protocols.arp import decode_arp
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

CAMERA, ROUTER = "00:00:5e:00:53:01", "00:00:5e:00:53:fe"
PLAIN = bytes(ARP(op=1, hwsrc=CAMERA, psrc="192.0.2.10", pdst="192.0.2.1"))


def test_a_request_tells_who_asks_for_whom() -> None:
    assert decode_arp(PLAIN) == {
        "arp.operation": "request",
        "arp.sender_mac": "00-00-5E-00-53-01",
        "arp.sender_ip": "192.0.2.10",
        "arp.target_ip": "192.0.2.1",
        "arp.is_gratuitous": False,
        "arp.is_probe": False,
    }


def test_a_reply_tells_both_addresses_of_both() -> None:
    fields = decode_arp(bytes(ARP(op=2, hwsrc=ROUTER, psrc="192.0.2.1", hwdst=CAMERA, pdst="192.0.2.10")))
    assert (fields["arp.operation"], fields["arp.sender_mac"]) == ("reply", "00-00-5E-00-53-FE")
    assert (fields["arp.target_mac"], fields["arp.target_ip"]) == ("00-00-5E-00-53-01", "192.0.2.10")


@pytest.mark.parametrize(
    ("operation", "sender", "target", "is_gratuitous", "is_probe"),
    [
        (1, "192.0.2.10", "192.0.2.10", True, False),
        (2, "192.0.2.10", "192.0.2.10", True, False),
        (1, "0.0.0.0", "192.0.2.10", False, True),  # noqa: S104  # a client without address
        (1, "0.0.0.0", "0.0.0.0", False, True),  # noqa: S104
    ],
)
def test_announcements_and_probes_are_marked(
    operation: int, sender: str, target: str, is_gratuitous: bool, is_probe: bool
) -> None:
    fields = decode_arp(bytes(ARP(op=operation, hwsrc=CAMERA, psrc=sender, pdst=target)))
    assert (fields["arp.is_gratuitous"], fields["arp.is_probe"]) == (is_gratuitous, is_probe)


def test_an_operation_without_name_is_a_number() -> None:
    assert decode_arp(PLAIN[:6] + b"\x00\x19" + PLAIN[8:])["arp.operation"] == "25"


@pytest.mark.parametrize("junk", [b"", PLAIN[:27], PLAIN[:2] + b"\x86\xdd" + PLAIN[4:], b"\xff" * 28])
def test_what_is_not_about_ipv4_on_ethernet_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_arp(junk)


@settings(deadline=None)
@given(st.integers(0, 0xFFFF), st.binary(min_size=6, max_size=6), st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_scapy_reads_the_same(operation: int, mac: bytes, sender: object, target: object) -> None:
    raw = bytes(ARP(op=operation, hwsrc=mac.hex(":"), psrc=str(sender), pdst=str(target)))
    judge, fields = ARP(raw), decode_arp(raw + bytes(18))
    assert (fields["arp.sender_ip"], fields["arp.target_ip"]) == (judge.psrc, judge.pdst)
    assert fields["arp.sender_mac"] == judge.hwsrc.replace(":", "-").upper()


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_are_a_message_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        decode_arp(data)
