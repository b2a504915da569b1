"""Client addresses: who it is that asks, and which networks are trusted or never locked out."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_MAX_HOPS = 16


def parse_address(text: str) -> Address | None:
    """Read an address; None when it is none. An IPv4 address mapped into IPv6 is that IPv4 address."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks between commas, such as `10.0.0.0/8,::1`. Raises ValueError that names the one that is wrong."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def network_of(address: Address) -> str:
    """Name what one subscriber holds: the IPv4 address itself, the /64 of an IPv6 address."""
    return str(address) if isinstance(address, IPv4Address) else str(ip_network((int(address) >> 64 << 64, 64)))


def client_of(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Tell the client's address: the last hop that no trusted proxy vouches for.

    `forwarded_for` is believed from a trusted peer only, and read from its end, where proxies append: whatever stands
    before the first address that is not a trusted proxy is the client's own invention.
    """
    current = parse_address(peer)
    if current is None:
        return peer
    hops = forwarded_for.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:] if forwarded_for else []
    while hops and is_within(current, trusted):
        before = parse_address(hops.pop())
        if before is None:
            break
        current = before
    return str(current)
