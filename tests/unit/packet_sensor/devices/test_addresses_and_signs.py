"""Whose an address is, and what a device shows of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.devices import (
    CAMERA,
    CAMERA_IP,
    PHONE,
    PHONE_IP,
    ROUTER,
    ROUTER_IP,
    arp,
    devices,
    event,
    flow,
    record,
    sighting,
)
from sakimori_packet_sensor.domain.devices.signs import MAX_CHARACTERS, named, numbered

NOBODY = "0.0.0.0"  # noqa: S104


def held(registry: object, mac: str) -> list[str]:
    return [each.ip for each in record(registry, mac).addresses]  # type: ignore[arg-type]


def test_a_router_carries_foreign_addresses_and_has_none_of_them() -> None:
    registry = devices()
    registry.observe([arp(ROUTER, ROUTER_IP), arp(CAMERA, CAMERA_IP)])
    for number in range(3):
        registry.observe([flow((ROUTER, f"198.51.100.{number}", 40_000), (CAMERA, CAMERA_IP, 80), number)])
    router = record(registry, ROUTER)
    assert held(registry, ROUTER) == [ROUTER_IP]
    assert (router.type, router.evidence[0]) == ("router", "it carries traffic of other networks' addresses")
    assert [hour.bytes_out for hour in router.hours] == [], "what it passes on is not its own traffic"


def test_one_with_many_private_addresses_that_it_never_claimed_passes_them_on() -> None:
    registry = devices()
    registry.observe([sighting(ROUTER, at, f"10.1.{at}.9") for at in range(4)])
    assert len(held(registry, ROUTER)) == 4
    registry.observe([sighting(ROUTER, 5, "10.1.5.9")])
    assert held(registry, ROUTER) == []
    assert record(registry, ROUTER).type == "router"


@pytest.mark.parametrize(
    "claim",
    [
        arp(CAMERA, CAMERA_IP),
        event("network.dhcp", dhcp__is_from_server=True, dhcp__message_type="ack", dhcp__client_mac=CAMERA,
              dhcp__assigned_ip=CAMERA_IP, source__mac=ROUTER, source__ip=ROUTER_IP),
        event("network.ndp", ndp__type="neighbor_advertisement", ndp__target_ip=CAMERA_IP, source__mac=CAMERA),
        event("network.dns", network__protocol="mdns", dns__type="answer", source__mac=CAMERA, source__ip=CAMERA_IP,
              mdns__addresses=[CAMERA_IP], mdns__hosts=["porch.local"]),
    ],
)  # fmt: skip
def test_an_address_is_claimed_by_arp_dhcp_neighbour_discovery_and_mdns(claim: object) -> None:
    registry = devices()
    registry.observe([arp(ROUTER, ROUTER_IP), claim])  # type: ignore[list-item]
    assert held(registry, CAMERA) == [CAMERA_IP]


def test_a_probe_claims_nothing_yet() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, NOBODY, arp__is_probe=True, arp__target_ip=CAMERA_IP)])
    assert held(registry, CAMERA) == []


def test_an_address_that_another_takes_within_a_minute_costs_trust_and_a_lease_that_passes_on_does_not() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, CAMERA_IP, 5)])
    assert held(registry, CAMERA) == []
    assert held(registry, PHONE) == [CAMERA_IP]
    assert "it took another device's address" in {reason.text for reason in record(registry, PHONE).trust_reasons}
    later = devices()
    later.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, CAMERA_IP, 3600)])
    assert "it took another device's address" not in {reason.text for reason in record(later, PHONE).trust_reasons}


def test_what_an_address_beyond_the_router_says_is_not_said_by_the_router() -> None:
    registry = devices()
    page = event(
        "network.http",
        1,
        source__mac=ROUTER,
        source__ip="198.51.100.7",
        destination__mac=CAMERA,
        destination__ip=CAMERA_IP,
        user_agent__original="curl/8.0",
        http__response__headers__server="GoAhead",
    )
    registry.observe([arp(ROUTER, ROUTER_IP), arp(CAMERA, CAMERA_IP), page])
    assert "http.agent:curl" not in " ".join(record(registry, ROUTER).signs)
    assert "http.server:goahead" in record(registry, CAMERA).signs


def test_services_are_offered_by_who_answers_and_used_by_who_asks() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, PHONE_IP)])
    registry.observe([flow((PHONE, PHONE_IP, 40_000), (CAMERA, CAMERA_IP, 554), network__protocol="rtsp")])
    registry.observe([flow((PHONE, PHONE_IP, 40_001), (CAMERA, CAMERA_IP, 23), sakimori__flow__state="rejected")])
    camera, phone = record(registry, CAMERA), record(registry, PHONE)
    assert (camera.offered, camera.used, camera.peers) == (("tcp/554 rtsp",), (), (PHONE_IP,))
    assert (phone.offered, phone.used) == ((), ("tcp/554 rtsp", "tcp/23"))
    [hour] = camera.hours
    assert (hour.bytes_in, hour.bytes_out, hour.packets_in, hour.packets_out, hour.flows) == (800, 6000, 8, 6, 2)


def test_a_flow_whose_beginning_was_missed_is_turned_round_when_the_server_seems_to_begin_it() -> None:
    registry = devices()
    registry.observe([arp(CAMERA, CAMERA_IP), arp(PHONE, PHONE_IP)])
    registry.observe([flow((CAMERA, CAMERA_IP, 9292), (PHONE, PHONE_IP, 50_756), sakimori__flow__tcp_flags="PA")])
    assert record(registry, CAMERA).offered == ("tcp/9292",)
    assert record(registry, PHONE).used == ("tcp/9292",)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("DCH-S160", "n:dch-s160"), ("HS110(EU)", "n:hs110(eu"), ("Lightify-7B5F6B", "n:lightify"),
        ("ESP_00AEFB", "n:esp"), ("DESKTOP-AB12CD3", "n:desktop"), ("cam-00:00:5e:00:53:01", "n:cam"),
        ("Printer (2)", "n:printer"), ("00005E005301", ""), ("", ""), ("Facade", "n:facade"),
    ],
)  # fmt: skip
def test_a_name_keeps_its_model_number_and_loses_its_serial_number(text: str, sign: str) -> None:
    assert named("n", text) == sign


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("0.pool.ntp.org", "d:#.pool.ntp.org"),
        ("uuid:2fac1234-31f8-11b4-a222-08002b34c003", "d:uuid:#"),
        ("Linux/3.14.0 UPnP/1.0", "d:linux/#.#.# upnp/#.#"),
        ("12345", ""),
    ],
)
def test_in_names_of_hosts_and_agents_digits_say_nothing(text: str, sign: str) -> None:
    assert numbered("d", text) == sign


@given(st.text(max_size=200), st.binary(min_size=6, max_size=6))
def test_no_sign_holds_the_end_of_a_mac_address_that_a_name_holds(text: str, mac: bytes) -> None:
    sign = named("n", f"{text}-{mac.hex()[6:]}-{text}")
    assert len(sign) <= MAX_CHARACTERS + 2
    if any(char.isdigit() for char in mac.hex()[6:]):
        assert f"-{mac.hex()[6:]}-" not in sign
