"""Where in the world an address is and whose it is, from a record of an MMDB file.

Read are the records of MaxMind's GeoLite2 and GeoIP2 (City, Country, ASN), of DB-IP, which has the same, and the flat
ones of IPinfo and IPLocate (`country_code`, `asn`, `as_name`).
"""

from collections.abc import Mapping
from typing import Any, Final

from sakimori_collector.domain.enrichment.facts import Facts
from sakimori_common.contracts import FieldValue

_LONGEST: Final = 256
_LAST_NUMBER: Final = 1 << 32


def facts_of(record: object) -> Facts:
    """Say in ECS what a record holds; what is of no known shape or type is passed over."""
    if not isinstance(record, Mapping):
        return {}
    found: dict[str, FieldValue | None] = {**_geo(record), **_owner(record)}
    return {"{side}." + name: value for name, value in found.items() if value is not None}


def _geo(record: Mapping[str, Any]) -> dict[str, FieldValue | None]:
    region = record.get("subdivisions") or record.get("region")
    region = region[0] if isinstance(region, list) else region
    country_code = _text(record, "country", "iso_code") or _text(record, "country_code")
    return {
        "geo.continent_code": _text(record, "continent", "code") or _text(record, "continent_code"),
        "geo.country_iso_code": country_code,
        "geo.country_name": _name(record.get("country")),
        "geo.region_iso_code": _region_code(country_code, region),
        "geo.region_name": _name(region),
        "geo.city_name": _name(record.get("city")),
        "geo.location": _location(record),
        "geo.timezone": _text(record, "location", "time_zone") or _text(record, "timezone"),
    }


def _owner(record: Mapping[str, Any]) -> dict[str, FieldValue | None]:
    number = record.get("autonomous_system_number", record.get("asn"))
    if isinstance(number, str) and number.upper().startswith("AS") and number[2:].isdecimal():
        number = int(number[2:12])
    is_number = isinstance(number, int) and not isinstance(number, bool) and 0 < number < _LAST_NUMBER
    return {
        "as.number": number if is_number else None,
        "as.organization.name": _text(record, "autonomous_system_organization") or _text(record, "as_name"),
    }


def _name(value: object) -> str | None:
    """English, as in GeoLite2's `names`; the text itself in flat records."""
    return _cut(value) or (_text(value, "names", "en") if isinstance(value, Mapping) else None)


def _region_code(country: str | None, region: object) -> str | None:
    code = _text(region, "iso_code") if isinstance(region, Mapping) else None
    return f"{country}-{code}" if country and code else None


def _location(record: Mapping[str, Any]) -> str | None:
    """ECS geo_point as a text, latitude first."""
    place = record.get("location")
    place = place if isinstance(place, Mapping) else record
    latitude, longitude = (_degrees(place.get(name)) for name in ("latitude", "longitude"))
    if latitude is None or longitude is None:
        return None
    return f"{round(latitude, 4)},{round(longitude, 4)}"


def _degrees(value: object) -> float | None:
    try:
        degrees = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
    return degrees if degrees is not None and -180 <= degrees <= 180 else None


def _text(record: object, *path: str) -> str | None:
    for name in path:
        record = record.get(name) if isinstance(record, Mapping) else None
    return _cut(record)


def _cut(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value else None
