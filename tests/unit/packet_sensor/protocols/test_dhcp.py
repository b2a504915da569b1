"""DHCP, with messages made and judged by Scapy."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from packets.conversations import ENDS, Said, at_port, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Ends, Verdict
from sakimori_packet_sensor.domain.protocols.dhcp import PROTOCOL, decode_dhcp
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

MAC = bytes.fromhex("00005e005301")
REQUEST: list[Any] = [
    ("message-type", "request"),
    ("requested_addr", "192.0.2.10"),
    ("hostname", b"living-room-cam"),
    ("vendor_class_id", b"dhcpcd-6.8.2:Linux"),
    ("client_id", b"\x01" + MAC),
    ("param_req_list", [1, 3, 6, 15]),
    "end",
]
OFFER: list[Any] = [
    ("message-type", "offer"),
    ("server_id", "192.0.2.1"),
    ("lease_time", 3600),
    ("renewal_time", 1800),
    ("rebinding_time", 3150),
    ("subnet_mask", "255.255.255.0"),
    ("router", "192.0.2.1", "192.0.2.2"),
    ("name_server", "192.0.2.53", "192.0.2.54"),
    ("domain", b"example.com"),
    "end",
]
PORTS = Ends(b"\0\0\0\0", b"\xff\xff\xff\xff", 68, 67)
FROM_SERVER = Ends(b"\xc0\x00\x02\x01", b"\xff\xff\xff\xff", 67, 68)


def dhcp(options: list[Any], *, op: int = 1, **bootp: Any) -> bytes:
    return bytes(BOOTP(op=op, chaddr=MAC, xid=7, **bootp) / DHCP(options=options))


def test_a_request_tells_all_that_a_device_says_of_itself() -> None:
    assert fields(PROTOCOL, [(CLIENT, dhcp(REQUEST, flags="B", secs=3))], PORTS) == [
        {
            "dhcp.message_type": "request",
            "dhcp.is_from_server": False,
            "dhcp.transaction_id": 7,
            "dhcp.seconds": 3,
            "dhcp.is_broadcast_wanted": True,
            "dhcp.client_mac": "00-00-5E-00-53-01",
            "dhcp.requested_ip": "192.0.2.10",
            "dhcp.hostname": "living-room-cam",
            "dhcp.vendor_class": "dhcpcd-6.8.2:Linux",
            "dhcp.client_id": "0100005e005301",
            "dhcp.fingerprint": "1,3,6,15",
            "dhcp.options": "53,50,12,60,61,55",
        }
    ]


def test_an_offer_tells_who_gives_what() -> None:
    assert fields(PROTOCOL, [(CLIENT, dhcp(OFFER, op=2, yiaddr="192.0.2.10", siaddr="192.0.2.9"))], FROM_SERVER) == [
        {
            "dhcp.message_type": "offer",
            "dhcp.is_from_server": True,
            "dhcp.server_ip": "192.0.2.1",
            "dhcp.transaction_id": 7,
            "dhcp.seconds": 0,
            "dhcp.is_broadcast_wanted": False,
            "dhcp.client_mac": "00-00-5E-00-53-01",
            "dhcp.assigned_ip": "192.0.2.10",
            "dhcp.next_server_ip": "192.0.2.9",
            "dhcp.server_id": "192.0.2.1",
            "dhcp.lease_seconds": 3600,
            "dhcp.renewal_seconds": 1800,
            "dhcp.rebinding_seconds": 3150,
            "dhcp.subnet_mask": "255.255.255.0",
            "dhcp.routers": ["192.0.2.1", "192.0.2.2"],
            "dhcp.dns_servers": ["192.0.2.53", "192.0.2.54"],
            "dhcp.domain": "example.com",
            "dhcp.options": "53,54,51,58,59,1,3,6,15",
        }
    ]


def test_the_source_is_who_sends() -> None:
    decoder = PROTOCOL.decoder(at_port(67))
    [request] = decoder.feed(CLIENT, dhcp(REQUEST), 0).messages
    [answer] = decoder.feed(SERVER, dhcp(OFFER, op=2), 0).messages
    assert (request.is_turned, answer.is_turned) == (False, True)
    assert answer.fields["dhcp.server_ip"] == "198.51.100.20"


@pytest.mark.parametrize(
    ("code", "raw", "name", "value"),
    [
        (121, b"\x18\xc6\x33\x64\xc0\x00\x02\x01\x00\xc0\x00\x02\xfe", "dhcp.static_routes",
         ["198.51.100.0/24 via 192.0.2.1", "0.0.0.0/0 via 192.0.2.254"]),
        (119, b"\x07example\x03com\x00\x03lab\xc0\x00", "dhcp.search_domains", ["example.com", "lab.example.com"]),
        (77, b"\x04iPXE", "dhcp.user_class", "iPXE"),
        (77, b"iPXE", "dhcp.user_class", "iPXE"),
        (81, b"\x00\x00\x00cam.example", "dhcp.fqdn", "cam.example"),
        (81, b"\x04\x00\x00\x03cam\x07example\x00", "dhcp.fqdn", "cam.example"),
        (161, b"https://mud.example/cam.json", "dhcp.mud_url", "https://mud.example/cam.json"),
        (252, b"http://192.0.2.66/wpad.dat\x00", "dhcp.proxy_configuration", "http://192.0.2.66/wpad.dat"),
        (67, b"boot/pxe.0", "dhcp.boot_file", "boot/pxe.0"),
        (124, b"\x00\x00\x01\x37\x04abcd", "dhcp.enterprise_number", 311),
        (93, b"\x00\x07", "dhcp.client_architecture", 7),
    ],
)  # fmt: skip
def test_options_that_tell_devices_and_intruders(code: int, raw: bytes, name: str, value: object) -> None:
    [message] = fields(PROTOCOL, [(CLIENT, dhcp([("message-type", "request"), (code, raw), "end"]))], PORTS)
    assert message[name] == value


def test_a_server_name_and_a_boot_file_stand_in_fields_of_their_own() -> None:
    raw = dhcp(OFFER, op=2, sname=b"boot.example", file=b"pxelinux.0")
    [message] = fields(PROTOCOL, [(CLIENT, raw)], FROM_SERVER)
    assert (message["dhcp.server_name"], message["dhcp.boot_file"]) == ("boot.example", "pxelinux.0")


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
def test_a_full_name_is_text_or_written_as_in_dns(option: bytes, name: str) -> None:
    message = decode_dhcp(dhcp([("message-type", "request"), ("client_FQDN", option), "end"]))
    assert message.get("dhcp.fqdn", "") == name


def test_options_go_on_in_the_fields_that_are_given_up_for_them() -> None:
    """Option 52: 1 the boot file's field, 2 the server name's, 3 both."""
    message = dhcp(
        [("message-type", "request"), (52, b"\x03"), "end"],
        file=b"\x0c\x03cam\xff",
        sname=b"\x3c\x04ACME\xff",
    )
    [told] = fields(PROTOCOL, [(CLIENT, message)], PORTS)
    assert (told["dhcp.hostname"], told["dhcp.vendor_class"]) == ("cam", "ACME")
    assert told.keys().isdisjoint({"dhcp.boot_file", "dhcp.server_name"})


def test_an_option_in_parts_is_joined() -> None:
    message = decode_dhcp(dhcp([("message-type", "request"), (12, b"living-"), (12, b"room"), "end"]))
    assert message["dhcp.hostname"] == "living-room"


def test_what_cannot_be_printed_is_escaped() -> None:
    message = decode_dhcp(dhcp([("message-type", "request"), ("hostname", b"a\x1b[2J\xffb\x00"), "end"]))
    assert message["dhcp.hostname"] == "a\\x1b[2J\\xffb"


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\1" * 239,
        dhcp(["end"])[:236] + b"\0" * 8,
        b"\3" + dhcp(["end"])[1:],
    ],
)
def test_what_is_no_dhcp_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_dhcp(junk)


def test_a_cut_option_is_left_out() -> None:
    assert "dhcp.hostname" not in decode_dhcp(dhcp(REQUEST)[:253])


def test_a_message_without_type_is_bootp() -> None:
    assert decode_dhcp(dhcp(["end"]))["dhcp.message_type"] == "bootp"


def test_an_unheard_of_type_is_reported_beside_the_rest() -> None:
    message = decode_dhcp(dhcp([("message-type", 106), ("hostname", b"cam"), "end"]))
    assert (message["dhcp.message_type"], message["error.code"]) == ("106", "malformed")
    assert message["dhcp.hostname"] == "cam"


@pytest.mark.parametrize(
    ("data", "ends", "verdict"),
    [
        (dhcp(REQUEST), PORTS, Verdict.YES),
        (dhcp(REQUEST), ENDS, Verdict.YES),
        (dhcp(REQUEST)[:236] + bytes(10), PORTS, Verdict.YES),  # malformed: it has no cookie
        (dhcp(REQUEST)[:236] + bytes(10), ENDS, Verdict.NO),
        (b"\x01\x02\x03", PORTS, Verdict.NO),
    ],
)
def test_the_cookie_decides(data: bytes, ends: Ends, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(data, CLIENT, ends) is verdict


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 400))
def test_random_options_are_read_or_refused(options: bytes, length: int) -> None:
    with suppress(Malformed):
        decode_dhcp((dhcp(["end"])[:240] + options)[:length])


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, dhcp(REQUEST)), (SERVER, dhcp(OFFER, op=2))])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, PORTS)


@settings(deadline=None)
@given(
    st.integers(0, (1 << 32) - 1),
    st.ip_addresses(v=4).filter(lambda address: int(address) > 0),
    st.lists(st.integers(1, 254), min_size=1, max_size=30),
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=40),
)
def test_scapy_reads_the_same(transaction: int, ip: object, wanted: list[int], name: str) -> None:
    options = [("message-type", "ack"), ("param_req_list", wanted), ("hostname", name.encode()), "end"]
    raw = bytes(BOOTP(op=2, chaddr=MAC, xid=transaction, yiaddr=str(ip)) / DHCP(options=options))
    [message] = fields(PROTOCOL, [(CLIENT, raw)], FROM_SERVER)
    judge = BOOTP(raw)
    assert (message["dhcp.transaction_id"], message["dhcp.assigned_ip"]) == (judge.xid, judge.yiaddr)
    told: dict[str, Any] = dict(option for option in judge[DHCP].options if isinstance(option, tuple))
    assert message["dhcp.fingerprint"] == ",".join(map(str, told["param_req_list"]))
    assert message["dhcp.hostname"] == told["hostname"].decode()
