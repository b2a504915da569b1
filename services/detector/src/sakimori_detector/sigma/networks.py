"""How addresses of a network begin when they are written: what an index can look for in place of the network."""

import ipaddress
from collections.abc import Iterator

from sakimori_detector.sigma.literals import BREAK

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def beginnings(network: Network) -> frozenset[str]:
    """List folded literals of which each way to write an address of the network has one."""
    return frozenset(_dotted(network) if isinstance(network, ipaddress.IPv4Network) else _coloned(network))


def _dotted(network: ipaddress.IPv4Network) -> Iterator[str]:
    """Give the octets that are known, the last of them in each of its forms; and how IPv6 carries IPv4."""
    yield "ffff:"
    octets = network.network_address.packed
    known = min(-(-network.prefixlen // 8), 4) or 1
    free = known * 8 - network.prefixlen
    head = "".join(f"{octet}." for octet in octets[: known - 1])
    for last in range(octets[known - 1], octets[known - 1] + (1 << min(free, 8))):
        yield f"{BREAK}{head}{last}{'.' if known < 4 else BREAK}"


def _coloned(network: ipaddress.IPv6Network) -> Iterator[str]:
    """Give the digits of the first group that are known; zeros at its front may be left out, a group of zeros, too."""
    digits = network.network_address.exploded[: min(network.prefixlen // 4, 4)]
    if not digits.strip("0"):
        yield ":"
        return
    for zeros in range(len(digits) - len(digits.lstrip("0")) + 1):
        yield BREAK + digits[zeros:]
