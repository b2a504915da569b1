"""Networks, and asking which of them have an address."""

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from sakimori_detector.sigma.events import address_of

T = TypeVar("T")

_OCTETS: Final = {str(value): value for value in range(256)}
_V6_BITS: Final = 128
_NARROW: Final = 20
"""IPv4 networks of at least this prefix are noted by three octets, of which they have at most 16."""


class _Range(NamedTuple, Generic[T]):
    """The addresses of a network, as numbers, both ends included."""

    first: int
    last: int
    text: str
    tag: T


class Networks(Generic[T]):
    """Addresses and networks, each with a tag.

    IPv4 networks are noted by the first octets of their addresses, as text, so that an address which shares them with
    none is never parsed. IPv6 ones cost a dictionary look-up for each length of prefix there is.
    """

    def __init__(self, items: Iterable[tuple[str, T]]) -> None:
        self._narrow: dict[str, tuple[_Range[T], ...]] = {}
        self._wide: dict[str, tuple[_Range[T], ...]] = {}
        by_length: dict[int, dict[int, list[tuple[str, T]]]] = {}
        self._count = 0
        for text, tag in items:
            self._count += 1
            network = ipaddress.ip_network(text, strict=False)
            first, length = int(network.network_address), network.prefixlen
            if network.version == 4:
                self._note(_Range(first, int(network.broadcast_address), text, tag), length)
            else:
                by_length.setdefault(length, {}).setdefault(first >> (_V6_BITS - length), []).append((text, tag))
        self._by_length = sorted(by_length.items(), reverse=True)

    def _note(self, found: _Range[T], length: int) -> None:
        noted, behind = (self._narrow, 8) if length >= _NARROW else (self._wide, 16)
        alone = (found,)
        for number in range(found.first >> behind, (found.last >> behind) + 1):
            head = f"{number >> 8 & 255}.{number & 255}"
            if behind == 8:
                head = f"{number >> 16}.{head}"
            noted[head] = noted[head] + alone if head in noted else alone

    def __len__(self) -> int:
        return self._count

    @property
    def narrow(self) -> Collection[str]:
        """The first three octets of what is in IPv4 networks of few addresses."""
        return self._narrow.keys()

    @property
    def wide(self) -> Collection[str]:
        """The first two octets of what is in the other IPv4 networks."""
        return self._wide.keys()

    def find(self, address: str) -> list[tuple[str, T]]:
        """List the networks of an address, the longest prefix first; none for what is no address."""
        if ":" in address:
            return list(self._find_v6(address))
        candidates = self._narrow.get(address.rpartition(".")[0], ()) + self._wide.get(address.rsplit(".", 2)[0], ())
        number = _ipv4(address) if candidates else None
        if number is None:
            return []
        found = [each for each in candidates if each.first <= number <= each.last]
        return [(each.text, each.tag) for each in sorted(found, key=lambda each: each.last - each.first)]

    def _find_v6(self, address: str) -> Iterator[tuple[str, T]]:
        parsed = address_of(address)
        if parsed is None:
            return
        if parsed.version == 4:
            yield from self.find(str(parsed))
            return
        for length, prefixes in self._by_length:
            yield from prefixes.get(int(parsed) >> (_V6_BITS - length), ())


def _ipv4(text: str) -> int | None:
    """Read a dotted quad; None for anything else."""
    number, octets = 0, text.split(".")
    for octet in octets:
        value = _OCTETS.get(octet)
        if value is None:
            return None
        number = number << 8 | value
    return number if len(octets) == 4 else None
