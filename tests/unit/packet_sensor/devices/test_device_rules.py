"""The rules for the certain: each with its own cases."""

import pytest

from packets.devices import CAMERA, KNOWLEDGE, arp, devices, event, record
from sakimori_packet_sensor.adapters.knowledge import shipped_rules
from sakimori_packet_sensor.domain.devices.knowledge import opinion
from sakimori_packet_sensor.domain.devices.opinion import TYPES
from sakimori_packet_sensor.domain.devices.rules import Rule, RuleError, read_rules

TABLE = shipped_rules()


@pytest.mark.parametrize("place", range(len(TABLE.rules)), ids=[rule.says for rule in TABLE.rules])
def test_each_rule_meets_its_cases_and_not_the_near_misses(place: int) -> None:
    rule: Rule = TABLE.rules[place]
    assert rule.positive and rule.negative, "a rule has cases"
    assert [sign for sign in rule.positive if place not in TABLE.of(sign)] == []
    assert [sign for sign in rule.negative if place in TABLE.of(sign)] == []


def test_every_type_has_a_rule() -> None:
    assert {rule.type for rule in TABLE.rules} - {""} == set(TYPES)


@pytest.mark.parametrize(
    ("signs", "type_"),
    [
        (["mdns.service:_axis-video._tcp", "offers:tcp/554"], "camera"),
        (["mdns.service:_sonos._tcp", "mdns.service:_spotify-connect._tcp"], "smart_speaker"),
        (["mdns.service:_googlecast._tcp", "mdns.md:chromecast"], "smart_tv"),
        (["dhcp.hostname:hs110(eu"], "smart_plug"),
        (["dhcp.hostname:lifx bulb", "offers:udp/56700"], "smart_bulb"),
        (["dhcp.hostname:philips-hue", "mdns.service:_hue._tcp"], "hub"),
        (["dhcp.hostname:nest-thermostat"], "environment_sensor"),
        (["dhcp.hostname:hallway-motion"], "motion_sensor"),
        (["dhcp.hostname:roomba"], "appliance"),
        (["mdns.service:_ipp._tcp", "dhcp.hostname:epson"], "printer"),
        (["role:dhcp_server", "role:carrier"], "router"),
        (["dhcp.hostname:galaxy-s9", "dhcp.vendor_class:android-dhcp-9"], "phone"),
        (["dhcp.vendor_class:msft 5.0", "dhcp.hostname:desktop"], "computer"),
        (["mdns.service:_adisk._tcp", "dhcp.hostname:diskstation"], "nas"),
        (["serves:modbus", "offers:tcp/502"], "industrial_controller"),
        (["uses:udp/53"], "unknown"),
    ],
)
def test_each_type_is_told_by_what_such_a_device_shows(signs: list[str], type_: str) -> None:
    said = opinion(KNOWLEDGE, signs, "")
    assert said.type == type_
    assert said.type_probability > 0.8


def test_witnesses_who_contradict_one_another_leave_it_open() -> None:
    one = opinion(KNOWLEDGE, ["dhcp.hostname:laserjet"], "")
    both = opinion(KNOWLEDGE, ["dhcp.hostname:laserjet", "dhcp.hostname:porch-cam"], "")
    assert (one.type, both.type) == ("printer", "unknown")


def test_the_maker_counts_when_the_address_is_no_random_one() -> None:
    registry = devices()
    registry.observe([arp("00-1B-A9-00-53-01", "192.0.2.5"), arp("02-1B-A9-00-53-01", "192.0.2.6")])
    assert record(registry, "00-1B-A9-00-53-01").type == "printer", "Brother"
    assert (record(registry, "02-1B-A9-00-53-01").vendor, record(registry, "02-1B-A9-00-53-01").type) == (
        "random",
        "unknown",
    )


def test_a_dhcp_client_says_its_name_kind_and_system() -> None:
    registry = devices()
    asked = event(
        "network.dhcp",
        dhcp__client_mac=CAMERA,
        dhcp__message_type="discover",
        dhcp__hostname="DESKTOP-AB12CD3",
        dhcp__vendor_class="MSFT 5.0",
    )
    registry.observe([asked])
    found = record(registry, CAMERA)
    assert (found.hostname, found.type, found.system) == ("DESKTOP-AB12CD3", "computer", "Windows")


@pytest.mark.parametrize(
    "text",
    [
        "[[rule]]\nsays = 'x'\ntype = 'toaster'\nprobability = 0.9\nsigns = ['a:b']\n",
        "[[rule]]\nsays = 'x'\ntype = 'camera'\nprobability = 1.0\nsigns = ['a:b']\n",
        "[[rule]]\nsays = 'x'\ntype = 'camera'\nprobability = 0.9\n",
        "[[rule]]\nsays = 'x'\nsystem = 'y'\nwords = { a = '(' }\n",
        "[[rule]]\nsays = 'x'\nsystem = 'y'\nsings = ['a:b']\n",
        "rule = ",
    ],
)
def test_a_rule_that_says_nothing_or_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        read_rules(text)
