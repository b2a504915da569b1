"""Makers by MAC address, with Scapy's list (Wireshark's) as the judge."""

import pytest
from scapy.data import MANUFDB

from sakimori_packet_sensor.adapters.vendors import manufacturer, short_name
from sakimori_packet_sensor.domain.devices.opinion import is_random

MAKERS = {
    "00-17-88": "Philips Lighting", "B8-27-EB": "Raspberry Pi", "F0-18-98": "Apple", "5C-CF-7F": "Espressif",
    "50-C7-BF": "TP-Link", "B0-C5-54": "D-Link", "74-DA-38": "Edimax", "94-10-3E": "Belkin", "00-1A-22": "eQ-3",
    "00-24-E4": "Withings", "84-18-26": "Osram", "00-0E-58": "Sonos", "00-1B-A9": "Brother", "00-40-8C": "Axis",
    "44-19-B6": "Hangzhou Hikvision", "00-11-32": "Synology", "00-08-9B": "ICP", "00-1B-1B": "Siemens",
    "00-00-BC": "Rockwell", "00-30-DE": "WAGO", "00-01-05": "Beckhoff",
    "00-A0-45": "Phoenix",
    "44-D9-E7": "Ubiquiti", "4C-5E-0C": "Routerboard", "00-1B-54": "Cisco", "20-4E-7F": "Netgear", "00-04-0E": "AVM",
    "D0-52-A8": "Physical", "44-61-32": "ecobee", "70-EE-50": "Netatmo", "18-B4-30": "Nest", "44-65-0D": "Amazon",
    "F4-F5-D8": "Google", "B0-A7-37": "Roku", "D0-73-D5": "LIFX", "50-14-79": "iRobot", "00-12-FB": "Samsung",
    "00-1C-62": "LG", "00-13-A9": "Sony", "00-14-22": "Dell", "00-1B-21": "Intel", "00-0C-29": "VMware",
    "00-26-AB": "Seiko Epson", "00-00-85": "Canon", "00-04-00": "Lexmark", "00-17-C8": "Kyocera",
    "00-15-5D": "Microsoft",
}  # fmt: skip


def test_over_forty_two_makers_are_named_as_people_do() -> None:
    assert len(set(MAKERS.values())) >= 42
    named = {prefix: manufacturer(f"{prefix}-00-53-01") for prefix in MAKERS}
    assert {prefix: name for prefix, name in named.items() if not name.startswith(MAKERS[prefix])} == {}


@pytest.mark.parametrize("prefix", sorted(MAKERS.keys() - {"D0-73-D5"}))  # LIFX, whom the lists call LIFI Labs
def test_each_agrees_with_the_list_that_wireshark_has(prefix: str) -> None:
    _, judge = MANUFDB.lookup(f"{prefix.replace('-', ':')}:00:53:01")
    if judge.startswith("00:"):
        pytest.skip("Scapy has no list on this machine")
    first = manufacturer(f"{prefix}-00-53-01").casefold().split()[0].split("-")[0]
    assert first in judge.casefold()


def test_who_is_not_in_the_list_has_no_name() -> None:
    assert manufacturer("F8-FF-FF-00-53-01") == ""
    assert manufacturer("nonsense") == ""


@pytest.mark.parametrize(
    ("mac", "random"), [("02-00-5E-00-53-01", True), ("DA-A1-19-00-53-01", True), ("00-00-5E-00-53-01", False)]
)
def test_locally_administered_addresses_are_random(mac: str, random: bool) -> None:
    assert is_random(mac) is random


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Edimax Technology Co. Ltd.", "Edimax"), ("TP-LINK TECHNOLOGIES CO.,LTD.", "TP-Link"),
        ("Apple, Inc.", "Apple"), ("Osram GmbH", "Osram"), ("Co., Ltd.", "Co"), ("BELKIN INTERNATIONAL INC.", "Belkin"),
    ],
)  # fmt: skip
def test_legal_forms_are_left_out(name: str, short: str) -> None:
    assert short_name(name) == short
