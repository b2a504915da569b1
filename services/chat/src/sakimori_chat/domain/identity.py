"""Who is there, without knowing who: anonymous ids and keyed hashes."""

import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_HASH_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from.

    `address` is canonical text and stays inside the service; `network` is the address or, for IPv6, its /64, which one
    subscriber has to itself. The hashes are keyed, 16 hex digits: IPv4 could be tried out against a plain hash (S0-20).
    """

    address: str
    network: str
    ip_hash: str
    network_hash: str
    ua_hash: str
    fingerprint: str
    language_hash: str = ""


class Hasher:
    """Name clients by hashes under the server's key; another key gives other names."""

    def __init__(self, secret_key: str) -> None:
        self._key = hmac.digest(secret_key.encode(), b"sakimori-chat-client", sha256)

    def client(self, address: str, user_agent: str, accept_language: str) -> Client:
        """Describe a client. The fingerprint covers network, user agent and language preference."""
        canonical = canonical_address(address)
        network = network_of(canonical)
        return Client(
            address=canonical,
            network=network,
            ip_hash=self._hash("ip", canonical),
            network_hash=self._hash("network", network),
            ua_hash=self._hash("user-agent", user_agent),
            fingerprint=self._hash("fingerprint", network, user_agent, accept_language),
            language_hash=self._hash("language", accept_language),
        )

    def _hash(self, *parts: str) -> str:
        message = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
        return hmac.new(self._key, message, sha256).hexdigest()[:_HASH_CHARACTERS]


def canonical_address(address: str) -> str:
    """Write an address in its one canonical form (IPv4-mapped IPv6 as IPv4); what is none stays as it is, cut."""
    parsed = _parse(address)
    return str(parsed) if parsed is not None else address[:64]


def is_address(text: str) -> bool:
    """Tell whether a text is an IPv4 or IPv6 address."""
    return _parse(text) is not None


def network_of(address: str) -> str:
    """Name the network that one subscriber holds: the IPv4 address itself, the /64 of an IPv6 address."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed) >> 64 << 64, 64)))
    return address


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks between commas, such as `10.0.0.0/8,::1`. Raises ValueError that names the one that is wrong."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Tell whether a text is an address in one of the networks."""
    parsed = _parse(address) if networks else None
    return parsed is not None and any(parsed in network for network in networks)


def is_anonymous_id(text: str) -> bool:
    """Tell whether a text is an anonymous id: a UUIDv4 in its canonical form."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == text


def shown_as(anon_id: str) -> str:
    """Shorten an anonymous id to what others see: `anon-` and eight hex digits."""
    return f"anon-{anon_id[:8]}"


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
