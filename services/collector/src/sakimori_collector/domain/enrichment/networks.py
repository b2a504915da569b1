"""Which kind of network an address is in, and which way a connection goes."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from sakimori_collector.domain.enrichment.facts import Address, Facts

Network = IPv4Network | IPv6Network

TRUSTED: Final = "trusted"
INTERNAL: Final = frozenset((TRUSTED, "private", "loopback", "link_local"))
FIELD: Final = "sakimori.known.{side}.network"
_CLASSES: Final = (
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("link_local", ("169.254.0.0/16", "fe80::/10")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10")),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("broadcast", ("255.255.255.255/32",)),
)
"""RFC 6890 and 6598, in their order; all else is public, the ranges for documentation too."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks and addresses with commas between. Raises ValueError that names the wrong one."""
    networks = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(part, strict=False))
        except ValueError:
            raise ValueError(f"{part[:64]!r} is no network such as 198.51.100.0/24") from None
    return tuple(networks)


class Networks:
    """Say which kind of network an address is in; those that the operator trusts come before all others."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        written = [(name, tuple(map(ip_network, networks))) for name, networks in _CLASSES]
        self._classes: list[tuple[str, tuple[Network, ...]]] = [(TRUSTED, tuple(trusted)), *written]

    def facts(self, address: Address) -> Facts:
        """Name the class under `sakimori.known.source.network`."""
        return {FIELD: self.class_of(address)}

    def class_of(self, address: Address) -> str:
        """Name the class: trusted, loopback, link_local, private, multicast, unspecified, broadcast or public."""
        for name, networks in self._classes:
            if any(address in network for network in networks):
                return name
        return "public"


def direction(source: object, destination: object) -> str:
    """Name the ECS `network.direction` between two classes: inside is what is trusted, private or this host."""
    if source in INTERNAL:
        return "internal" if destination in INTERNAL else "outbound"
    return "inbound" if destination in INTERNAL else "external"
