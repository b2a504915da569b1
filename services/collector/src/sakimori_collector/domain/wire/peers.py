"""Who may send to a listening port, under which name it is counted, and how much."""

import ipaddress
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PRIVATE_NETWORKS: Final = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7,fe80::/10"
"""RFC 1918, RFC 4193, loopback and link-local."""
_REMEMBERED: Final = 10_000
"""Peers whose rate is known; spoofed addresses must not fill the memory. Who is forgotten begins anew."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer as it was recognised. `name` is its source's: the input's own, or what the operator calls it."""

    address: str
    name: str
    is_allowed: bool


class Peers:
    """Recognises peers. `networks` may send; `names` (network and name, most exact first) tell some apart by name."""

    def __init__(self, networks: Sequence[Network], names: Sequence[tuple[Network, str]] = ()) -> None:
        self._networks = networks
        self._names = sorted(names, key=lambda named: -named[0].prefixlen)
        self._known: OrderedDict[tuple[str, str], Peer] = OrderedDict()

    def find(self, host: str, kind: str) -> Peer:
        """Recognise a peer by its address, as a socket gives it, and the kind of input it came to."""
        peer = self._known.get((host, kind))
        if peer is None:
            peer = self._known[host, kind] = self._recognise(host, kind)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return peer

    def _recognise(self, host: str, kind: str) -> Peer:
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        name = next((name for network, name in self._names if address in network), kind)
        return Peer(str(address), name, any(address in network for network in self._networks))


class Rates:
    """A bucket of tokens for each peer: so many lines a second, and the lines of two seconds at once."""

    def __init__(self, lines_per_second: int) -> None:
        self._per_second = lines_per_second
        self._most = lines_per_second * 2.0
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, peer: str, now: float) -> bool:
        """Take the token of one line, if there is one; `now` in seconds of a clock that never goes back."""
        if not self._per_second:
            return True
        tokens = self._tokens(peer, now)
        self._remember(peer, tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    def delay(self, peer: str, lines: int, now: float) -> float:
        """Take the tokens of lines that are there already; returns how many seconds to wait before the next."""
        if not self._per_second:
            return 0.0
        tokens = self._tokens(peer, now) - lines
        self._remember(peer, tokens, now)
        return max(0.0, -tokens / self._per_second)

    def _tokens(self, peer: str, now: float) -> float:
        tokens, then = self._buckets.get(peer, (self._most, now))
        return min(self._most, tokens + (now - then) * self._per_second)

    def _remember(self, peer: str, tokens: float, now: float) -> None:
        self._buckets[peer] = tokens, now
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)


def parse_networks(text: str) -> list[Network]:
    """Read networks, `10.0.0.0/8,2001:db8::/32`; a single address is one, too. Raises ValueError."""
    networks = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            networks.append(ipaddress.ip_network(part))
        except ValueError:
            raise ValueError(f"{part!r} is no network such as 10.0.0.0/8") from None
    return networks


def parse_peer_names(text: str) -> list[tuple[Network, str]]:
    """Read `firewall=192.0.2.1,switches=198.51.100.0/24`. Raises ValueError."""
    names = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, mark, network = part.partition("=")
        if not mark or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"{part!r} is no name and network such as firewall=192.0.2.1")
        names += [(each, name.strip()) for each in parse_networks(network)]
    return names
