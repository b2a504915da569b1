"""MMDB files, made here."""

import ipaddress
import shutil
from pathlib import Path
from typing import Any

import pytest
import structlog
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from structlog.testing import capture_logs

from sakimori_collector.adapters.geoip import GeoDatabase, GeoFacts
from sakimori_collector.domain.enrichment.geo import facts_of

CITY = {
    "continent": {"code": "AS", "names": {"en": "Asia"}},
    "country": {"iso_code": "JP", "names": {"en": "Japan", "ja": "日本"}},
    "subdivisions": [{"iso_code": "13", "names": {"en": "Tokyo"}}],
    "city": {"names": {"en": "Shibuya"}},
    "location": {"latitude": 35.6614, "longitude": 139.7041, "time_zone": "Asia/Tokyo"},
}
ASN = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Networks"}


def written(path: Path, records: dict[str, Any], version: int = 6) -> Path:
    writer = MMDBWriter(version, "Test", ipv4_compatible=version == 6, int_type="u32", float_type="f64")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.replace(path)
    return path


def opened(*paths: Path) -> GeoFacts:
    facts = GeoFacts([GeoDatabase(path, structlog.get_logger()) for path in paths])
    facts.refresh()
    return facts


def test_a_public_address_gets_place_and_owner_and_a_private_one_nothing(tmp_path: Path) -> None:
    city = written(tmp_path / "city.mmdb", {"203.0.113.0/24": CITY, "10.0.0.0/8": CITY})
    asn = written(tmp_path / "asn.mmdb", {"203.0.113.0/24": ASN, "2001:db8::/32": ASN})
    facts = opened(city, asn)
    assert facts.facts(ipaddress.ip_address("203.0.113.7")) == {
        "{side}.geo.continent_code": "AS",
        "{side}.geo.country_iso_code": "JP",
        "{side}.geo.country_name": "Japan",
        "{side}.geo.region_iso_code": "JP-13",
        "{side}.geo.region_name": "Tokyo",
        "{side}.geo.city_name": "Shibuya",
        "{side}.geo.location": "35.6614,139.7041",
        "{side}.geo.timezone": "Asia/Tokyo",
        "{side}.as.number": 64500,
        "{side}.as.organization.name": "Example Networks",
    }
    assert facts.facts(ipaddress.ip_address("2001:db8::7")) == {
        "{side}.as.number": 64500,
        "{side}.as.organization.name": "Example Networks",
    }
    for unknown in ("10.0.0.1", "127.0.0.1", "198.51.100.1", "fe80::1"):
        assert facts.facts(ipaddress.ip_address(unknown)) == {}


def test_a_file_of_ipv4_only_has_nothing_of_ipv6(tmp_path: Path) -> None:
    facts = opened(written(tmp_path / "city.mmdb", {"203.0.113.0/24": CITY}, version=4))
    assert facts.facts(ipaddress.ip_address("2001:db8::7")) == {}
    assert facts.facts(ipaddress.ip_address("203.0.113.7"))["{side}.geo.country_iso_code"] == "JP"


def test_a_file_that_changes_is_opened_anew_and_only_then(tmp_path: Path) -> None:
    path = written(tmp_path / "asn.mmdb", {"203.0.113.0/24": ASN})
    facts = opened(path)
    assert facts.refresh() is False
    written(path, {"203.0.113.0/24": {**ASN, "autonomous_system_number": 64501}})
    assert facts.refresh() is True
    assert facts.facts(ipaddress.ip_address("203.0.113.7"))["{side}.as.number"] == 64501


def test_a_bad_file_is_said_once_and_the_last_good_one_stays(tmp_path: Path) -> None:
    path = written(tmp_path / "asn.mmdb", {"203.0.113.0/24": ASN})
    facts = opened(path)
    with capture_logs() as logs:
        for _ in range(3):
            path.write_bytes(b"this is no database")
            shutil.copystat(__file__, path)
            facts.refresh()
    assert [log["event"] for log in logs] == ["geoip_file_unusable"]
    assert str(path) in logs[0]["path"]
    assert facts.facts(ipaddress.ip_address("203.0.113.7"))["{side}.as.number"] == 64500


def test_a_missing_file_is_said_once_and_read_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "asn.mmdb"
    with capture_logs() as logs:
        facts = opened(path)
        facts.refresh()
    assert [log["event"] for log in logs] == ["geoip_file_unusable"]
    assert facts.facts(ipaddress.ip_address("203.0.113.7")) == {}
    written(path, {"203.0.113.0/24": ASN})
    assert facts.refresh() is True
    assert facts.facts(ipaddress.ip_address("203.0.113.7")) != {}


def test_a_file_that_is_overwritten_in_its_place_while_it_is_in_use_does_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path / "asn.mmdb", {"203.0.113.0/24": ASN})
    facts = opened(path)
    with path.open("r+b") as file:
        file.truncate(10)
    assert facts.facts(ipaddress.ip_address("203.0.113.7"))["{side}.as.number"] == 64500


def test_a_damaged_file_is_said_once_and_gives_nothing(tmp_path: Path) -> None:
    records = {f"203.0.{n}.0/24": {**ASN, "autonomous_system_number": 64500 + n} for n in range(200)}
    path = written(tmp_path / "asn.mmdb", records)
    raw = bytearray(path.read_bytes())
    raw[400 : len(raw) - 400] = b"\xff" * (len(raw) - 800)
    path.write_bytes(raw)
    with capture_logs() as logs:
        facts = opened(path)
        found = [facts.facts(ipaddress.ip_address(f"203.0.{n}.7")) for n in range(200)]
    assert not any(found)
    assert len([log for log in logs if log["log_level"] == "warning"]) <= 1


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"country_code": "JP", "country": "Japan", "asn": "AS64500", "as_name": "Example"},
            {
                "geo.country_iso_code": "JP",
                "geo.country_name": "Japan",
                "as.number": 64500,
                "as.organization.name": "Example",
            },
        ),
        ({"country": {"iso_code": 5, "names": ["x"]}, "location": {"latitude": "x", "longitude": 500}}, {}),
        ({"autonomous_system_number": True, "asn": "ASX"}, {}),
        ("text", {}),
        (None, {}),
    ],
)
def test_flat_records_are_read_too_and_what_is_of_a_wrong_type_is_not(record: object, expected: dict[str, Any]) -> None:
    assert facts_of(record) == {"{side}." + name: value for name, value in expected.items()}
