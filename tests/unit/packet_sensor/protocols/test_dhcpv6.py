"""DHCPv6, with messages made by Scapy."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DUID_EN,
    DUID_LL,
    DUID_LLT,
    VENDOR_CLASS_DATA,
    DHCP6_Reply,
    DHCP6_Solicit,
    DHCP6OptClientFQDN,
    DHCP6OptClientId,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptOptReq,
    DHCP6OptServerId,
    DHCP6OptStatusCode,
    DHCP6OptVendorClass,
)

from packets.conversations import Said, check_survives, fields, garbage, mutated
from sakimori_packet_sensor.domain.protocols.contract import CLIENT, SERVER, Ends, Verdict
from sakimori_packet_sensor.domain.protocols.dhcpv6 import PROTOCOL, decode_dhcpv6
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

MAC = "00:00:5e:00:53:01"
ENDS = Ends(bytes.fromhex("fe80") + bytes(13) + b"\x01", bytes.fromhex("ff02") + bytes(12) + b"\x01\x02", 546, 547)

SOLICIT = bytes(
    DHCP6_Solicit(trid=0x123456)
    / DHCP6OptClientId(duid=DUID_LLT(lladdr=MAC, timeval=1))
    / DHCP6OptOptReq(reqopts=[23, 24, 39])
    / DHCP6OptVendorClass(enterprisenum=311, vcdata=[VENDOR_CLASS_DATA(data=b"MSFT 5.0")])
    / DHCP6OptClientFQDN(fqdn="cam.example")
    / DHCP6OptIA_NA(iaid=1)
)
REPLY = bytes(
    DHCP6_Reply(trid=0x123456)
    / DHCP6OptClientId(duid=DUID_LLT(lladdr=MAC, timeval=1))
    / DHCP6OptServerId(duid=DUID_LL(lladdr="00:00:5e:00:53:fe"))
    / DHCP6OptIA_NA(iaid=1, ianaopts=[DHCP6OptIAAddress(addr="2001:db8::7", preflft=600, validlft=900)])
    / DHCP6OptIA_PD(iaid=2, iapdopt=[DHCP6OptIAPrefix(prefix="2001:db8:7::", plen=56, validlft=900)])
    / DHCP6OptDNSServers(dnsservers=["2001:db8::53"])
    / DHCP6OptDNSDomains(dnsdomains=["example.com"])
    / DHCP6OptStatusCode(statuscode=0)
)


def relayed(message: bytes, times: int = 1) -> bytes:
    for hops in range(times):
        option = b"\x00\x09" + len(message).to_bytes(2, "big") + message
        message = bytes([12, hops]) + ENDS.source + ENDS.source + option
    return message


def test_a_solicit_tells_who_the_client_is() -> None:
    assert fields(PROTOCOL, [(CLIENT, SOLICIT)], ENDS) == [
        {
            "dhcpv6.message_type": "solicit",
            "dhcpv6.is_from_server": False,
            "dhcpv6.transaction_id": 0x123456,
            "dhcpv6.client_duid": "000100010000000100005e005301",
            "dhcpv6.client_mac": "00-00-5E-00-53-01",
            "dhcpv6.fingerprint": "23,24,39",
            "dhcpv6.enterprise_number": 311,
            "dhcpv6.vendor_class": "MSFT 5.0",
            "dhcpv6.fqdn": "cam.example",
            "dhcpv6.options": "1,6,16,39,3",
        }
    ]


def test_a_reply_tells_what_the_client_is_given_and_by_whom() -> None:
    [message] = fields(PROTOCOL, [(SERVER, REPLY)], ENDS)
    assert (message["dhcpv6.message_type"], message["dhcpv6.is_from_server"]) == ("reply", True)
    assert (message["dhcpv6.addresses"], message["dhcpv6.prefixes"]) == (["2001:db8::7"], ["2001:db8:7::/56"])
    assert message["dhcpv6.valid_seconds"] == 900
    assert message["dhcpv6.server_mac"] == "00-00-5E-00-53-FE"
    assert message["dhcpv6.dns_servers"] == ["2001:db8::53"]
    assert message["dhcpv6.search_domains"] == ["example.com"]
    assert message["dhcpv6.status"] == "success"


def test_what_relays_carry_is_unpacked() -> None:
    fields_of = decode_dhcpv6(relayed(SOLICIT, 2))
    assert (fields_of["dhcpv6.message_type"], fields_of["dhcpv6.relays"]) == ("solicit", 2)
    assert fields_of["dhcpv6.peer_ip"] == "fe80::1"


def test_a_vendors_own_identity_has_no_mac_address() -> None:
    message = decode_dhcpv6(bytes(DHCP6_Solicit() / DHCP6OptClientId(duid=DUID_EN(enterprisenum=4711, id=b"abc"))))
    assert message["dhcpv6.client_enterprise_number"] == 4711
    assert "dhcpv6.client_mac" not in message


def test_the_source_is_who_sends() -> None:
    [message] = PROTOCOL.decoder(ENDS).feed(SERVER, REPLY, 0).messages
    assert message.is_turned


@pytest.mark.parametrize(
    "junk", [b"", b"\x00abc", b"\x63abc", SOLICIT[:-1], SOLICIT[:6], relayed(SOLICIT, 9), b"\x0c" * 9]
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed):
        decode_dhcpv6(junk)


@pytest.mark.parametrize(
    ("ends", "verdict"), [(ENDS, Verdict.YES), (ENDS._replace(source_port=5000, destination_port=5001), Verdict.NO)]
)
def test_ports_decide(ends: Ends, verdict: Verdict) -> None:
    assert PROTOCOL.recognise(SOLICIT, CLIENT, ends) is verdict


@settings(deadline=None)
@given(st.one_of(garbage(), mutated([(CLIENT, SOLICIT), (SERVER, REPLY), (CLIENT, relayed(SOLICIT, 3))])))
def test_whatever_arrives_becomes_fields_or_is_refused(said: list[Said]) -> None:
    check_survives(PROTOCOL, said, ENDS)


def test_addresses_are_bounded() -> None:
    many: Any = DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr="2001:db8::7")] * 500)
    addresses = decode_dhcpv6(bytes(DHCP6_Reply() / many))["dhcpv6.addresses"]
    assert isinstance(addresses, list)
    assert len(addresses) == 64
