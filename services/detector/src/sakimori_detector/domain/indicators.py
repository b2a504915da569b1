"""Lists of addresses and networks, one an entry, and asking whether an address is on one."""

import ipaddress
from collections.abc import Iterable
from typing import Final, NamedTuple

from sakimori_detector.sigma.events import address_of

_REMEMBERED_ADDRESSES: Final = 65_536
_BITS: Final = {4: 32, 6: 128}
_OCTETS: Final = {str(value): value for value in range(256)}


class BadEntry(NamedTuple):
    """A line of a list that is neither address nor network; lines count from 1."""

    line: int
    why: str


class Indicators:
    """Addresses and networks. Asking costs one dictionary look-up for each length of prefix on the list, at most."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: dict[tuple[int, int], dict[int, str]] = {}
        self._first_octets: set[str] = set()
        self._memory: dict[str, str | None] = {}
        for entry in entries:
            network = ipaddress.ip_network(entry, strict=False)
            prefixes = self._networks.setdefault((network.version, network.prefixlen), {})
            prefixes[int(network.network_address) >> (network.max_prefixlen - network.prefixlen)] = entry
            if network.version == 4:
                first, last = int(network.network_address) >> 24, int(network.broadcast_address) >> 24
                self._first_octets.update(map(str, range(first, last + 1)))

    def find(self, address: str) -> str | None:
        """Give the entry that an address is on the list by; None where it is not, or is no address."""
        if address.partition(".")[0] not in self._first_octets and ":" not in address:
            return None
        if address in self._memory:
            return self._memory[address]
        if len(self._memory) >= _REMEMBERED_ADDRESSES:
            self._memory.clear()
        entry = self._memory[address] = self._search(address)
        return entry

    def _search(self, address: str) -> str | None:
        version, number = 4, _ipv4(address)
        if number is None:
            parsed = address_of(address)
            if parsed is None:
                return None
            version, number = parsed.version, int(parsed)
        bits = _BITS[version]
        for (of_version, length), prefixes in self._networks.items():
            if of_version == version and (entry := prefixes.get(number >> (bits - length))):
                return entry
        return None


def _ipv4(text: str) -> int | None:
    """Read a dotted quad, five times as fast as `ipaddress`; None for anything else."""
    number, octets = 0, text.split(".")
    for octet in octets:
        value = _OCTETS.get(octet)
        if value is None:
            return None
        number = number << 8 | value
    return number if len(octets) == 4 else None


def parse(text: str) -> tuple[list[str], list[BadEntry]]:
    """Read a list: one address or CIDR a line, `#` begins a comment. What is neither is named, the rest used."""
    entries, bad = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError as error:
            bad.append(BadEntry(number, str(error)))
        else:
            entries.append(entry)
    return entries, bad
