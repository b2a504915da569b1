"""Names that the sensor has seen: of devices, and of addresses in answers of DNS."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sakimori_collector.domain.enrichment.facts import NOTHING, Address, Facts, address_of
from sakimori_common.contracts import Event, FieldValue

DATASET: Final = "network.dns"
MOST_NAMES: Final = 65_536
"""Addresses whose names are kept, the latest: some 15 MB."""
LASTING_SECONDS: Final = 86_400
"""A name that was not seen for so long is forgotten: addresses change hands."""
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the sensor's view; `type` is `unknown` or what it is."""

    mac: str
    hostname: str | None
    type: str


class Devices:
    """Devices by the address that they were last seen with."""

    def __init__(self, known: Mapping[str, Device]) -> None:
        self._known = known

    def of(self, address: Address) -> Device | None:
        """Find the device that has an address."""
        return self._known.get(str(address))

    def facts(self, address: Address) -> Facts:
        """Say which device it is, as far as the sensor knows: `sakimori.known.source.device.mac`, `.name`, `.type`."""
        device = self.of(address)
        if device is None:
            return NOTHING
        found: dict[str, FieldValue] = {"sakimori.known.{side}.device.mac": device.mac}
        if device.hostname:
            found["sakimori.known.{side}.device.name"] = device.hostname
        if device.type != "unknown":
            found["sakimori.known.{side}.device.type"] = device.type
        return found


class DnsNames:
    """By address, the name that somebody asked for when DNS last answered with it."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def facts(self, address: Address) -> Facts:
        """Say the name: `sakimori.known.source.dns.name`. Not `source.domain`, which is what a line itself said."""
        name = self._known.get(str(address))
        return NOTHING if name is None else {"sakimori.known.{side}.dns.name": name}


def sightings_in(events: Iterable[Event]) -> dict[str, tuple[str, int]]:
    """Gather address -> (name asked for, time in microseconds) from the answers in events; of several the latest.

    The name is that of the question, not of the end of a chain of aliases: `www.example.com`, not the address book of
    who hosts it. What multicast DNS says of the neighbourhood counts, too.
    """
    found: dict[str, tuple[str, int]] = {}
    for event in events:
        if event.dataset == DATASET and event.fields.get("dns.type") == "answer":
            for address, name in _answers(event.fields):
                if address not in found or found[address][1] <= event.time:
                    found[address] = (name, event.time)
    return found


def _answers(fields: Mapping[str, FieldValue]) -> Iterable[tuple[str, str]]:
    name = fields.get("dns.question.name")
    types, data = fields.get("dns.answers.type"), fields.get("dns.answers.data")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST:
        return
    if not isinstance(types, list) or not isinstance(data, list):
        return
    for kind, value in zip(types, data, strict=False):
        if kind in ("A", "AAAA") and isinstance(value, str):
            address = address_of(value)
            if address is not None and not (address.is_unspecified or address.is_loopback):
                yield str(address), name
