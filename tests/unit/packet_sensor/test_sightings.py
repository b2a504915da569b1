"""Devices from ARP and DHCP."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from packets.frames import START
from sakimori_packet_sensor.domain.decode import ArpPacket
from sakimori_packet_sensor.domain.sightings import Devices, Sighting
from sakimori_packet_sensor.domain.protocols.dhcp import DhcpType, decode_dhcp
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

MAC = bytes.fromhex("00005e005301")
IP, OTHER_IP, NOWHERE = bytes([192, 0, 2, 10]), bytes([192, 0, 2, 11]), bytes(4)
HOUR = 3600 * 1_000_000

REQUEST: list[Any] = [
    ("message-type", "request"),
    ("requested_addr", "192.0.2.10"),
    ("hostname", b"living-room-cam"),
    ("vendor_class_id", b"dhcpcd-6.8.2:Linux"),
    ("client_id", b"\x01" + MAC),
    ("param_req_list", [1, 3, 6, 15]),
    "end",
]


def dhcp(options: list[Any], *, op: int = 1, **bootp: Any) -> bytes:
    return bytes(BOOTP(op=op, chaddr=MAC, xid=7, **bootp) / DHCP(options=options))


def arp(ip: bytes = IP, mac: bytes = MAC, at: int = START) -> ArpPacket:
    return ArpPacket(1, mac, ip, bytes(6), OTHER_IP, time=at)


def test_a_request_tells_all_that_a_device_says_of_itself() -> None:
    message = decode_dhcp(dhcp(REQUEST))
    assert (message.kind, message.is_from_client, message.client_mac) == (DhcpType.REQUEST, True, MAC)
    assert (message.requested_ip, message.client_ip, message.your_ip) == (IP, b"", b"")
    assert (message.hostname, message.vendor_class) == ("living-room-cam", "dhcpcd-6.8.2:Linux")
    assert message.fingerprint == "1,3,6,15"


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (b"\x00\x00\x00cam.example", "cam.example"),
        (b"\x04\x00\x00\x03cam\x07example\x00", "cam.example"),
        (b"\x04\x00\x00\x03cam", "cam"),
        (b"\x04\x00\x00\xff", ""),
        (b"\x00", ""),
    ],
)
def test_the_full_name_stands_in_for_a_missing_host_name(option: bytes, name: str) -> None:
    assert decode_dhcp(dhcp([("message-type", "request"), ("client_FQDN", option), "end"])).hostname == name


def test_options_go_on_in_the_fields_that_are_given_up_for_them() -> None:
    """Option 52: 1 the boot file's field, 2 the server name's, 3 both."""
    message = dhcp(
        [("message-type", "request"), (52, b"\x03"), "end"],
        file=b"\x0c\x03cam\xff",
        sname=b"\x3c\x04ACME\xff",
    )
    decoded = decode_dhcp(message)
    assert (decoded.hostname, decoded.vendor_class) == ("cam", "ACME")


def test_what_cannot_be_printed_is_not_kept() -> None:
    message = decode_dhcp(dhcp([("message-type", "request"), ("hostname", b"a\x1b[2J\xffb\x00"), "end"]))
    assert message.hostname == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\1" * 239,
        dhcp(["end"])[:236] + b"\0" * 8,
        b"\3" + dhcp(["end"])[1:],
        dhcp([("message-type", 200), "end"]),
    ],
)
def test_what_is_no_dhcp_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_dhcp(junk)


def test_a_cut_option_is_left_out() -> None:
    assert decode_dhcp(dhcp(REQUEST)[:253]).hostname == ""


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 400))
def test_random_options_are_read_or_refused(options: bytes, length: int) -> None:
    with suppress(Malformed):
        decode_dhcp((dhcp(["end"])[:240] + options)[:length])


def test_an_arp_sender_is_sighted_once_and_again_after_an_hour() -> None:
    devices = Devices()
    assert devices.from_arp(arp()) == Sighting(MAC, IP, "arp")
    assert devices.from_arp(arp(at=START + HOUR - 1)) is None
    assert devices.from_arp(arp(at=START + HOUR)) == Sighting(MAC, IP, "arp")


def test_a_new_address_of_a_device_and_a_new_device_of_an_address_are_news() -> None:
    devices = Devices()
    devices.from_arp(arp())
    assert devices.from_arp(arp(OTHER_IP)) == Sighting(MAC, OTHER_IP, "arp")
    imposter = bytes.fromhex("02005e005399")
    assert devices.from_arp(arp(mac=imposter)) == Sighting(imposter, IP, "arp")


def test_a_probe_tells_of_a_device_without_address() -> None:
    assert Devices().from_arp(arp(NOWHERE)) == Sighting(MAC, b"", "arp")


@pytest.mark.parametrize("mac", [bytes(6), b"\xff" * 6, bytes.fromhex("01005e000001")])
def test_groups_and_nobody_are_no_devices(mac: bytes) -> None:
    assert Devices().from_arp(arp(mac=mac)) is None


def test_the_confirmation_of_a_lease_carries_what_the_request_said() -> None:
    devices = Devices()
    request = Sighting(MAC, IP, "dhcp", "living-room-cam", "dhcpcd-6.8.2:Linux", "1,3,6,15")
    assert devices.from_dhcp(decode_dhcp(dhcp(REQUEST)), START) == request
    same = dhcp([("message-type", "ack"), "end"], op=2, yiaddr="192.0.2.10")
    assert devices.from_dhcp(decode_dhcp(same), START + 1000) is None
    other = dhcp([("message-type", "ack"), "end"], op=2, yiaddr="192.0.2.11")
    sighting = devices.from_dhcp(decode_dhcp(other), START + 2000)
    assert sighting == Sighting(MAC, OTHER_IP, "dhcp", "living-room-cam", "dhcpcd-6.8.2:Linux", "1,3,6,15")


def test_a_changed_host_name_is_news() -> None:
    devices = Devices()
    devices.from_dhcp(decode_dhcp(dhcp(REQUEST)), START)
    renamed = [option for option in REQUEST if option[0] != "hostname"]
    assert devices.from_dhcp(decode_dhcp(dhcp(renamed)), START + 1) is None
    renamed.insert(0, ("hostname", b"kitchen-cam"))
    sighting = devices.from_dhcp(decode_dhcp(dhcp(renamed)), START + 2)
    assert sighting is not None
    assert sighting.hostname == "kitchen-cam"


@pytest.mark.parametrize(
    ("kind", "has", "ip"),
    [("discover", "", b""), ("release", "192.0.2.11", b""), ("inform", "192.0.2.11", OTHER_IP)],
)
def test_only_an_address_that_is_in_use_is_reported(kind: str, has: str, ip: bytes) -> None:
    options = [("message-type", kind), ("requested_addr", "192.0.2.10"), "end"]
    message = dhcp(options, ciaddr=has) if has else dhcp(options)
    assert Devices().from_dhcp(decode_dhcp(message), START) == Sighting(MAC, ip, "dhcp")


@pytest.mark.parametrize("kind", ["offer", "nak"])
def test_what_a_server_only_offers_or_refuses_is_no_sighting(kind: str) -> None:
    message = dhcp([("message-type", kind), "end"], op=2, yiaddr="192.0.2.10")
    assert Devices().from_dhcp(decode_dhcp(message), START) is None


def test_other_hardware_is_known_by_its_client_id() -> None:
    message = dhcp([("message-type", "request"), ("client_id", b"\x01" + MAC), "end"], htype=32, hlen=0)
    assert Devices().from_dhcp(decode_dhcp(message), START) == Sighting(MAC, b"", "dhcp")
