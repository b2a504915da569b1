"""Addresses as text, in the notation ECS asks for."""

from functools import lru_cache
from ipaddress import IPv6Address


@lru_cache(65_536)
def ip_text(address: bytes) -> str:
    """Write an address of 4 or 16 bytes (RFC 5952 for the latter)."""
    if len(address) == 4:
        return f"{address[0]}.{address[1]}.{address[2]}.{address[3]}"
    return str(IPv6Address(address))


@lru_cache(65_536)
def mac_text(address: bytes) -> str:
    """Write a MAC address as ECS does: `00-00-5E-00-53-23`."""
    return address.hex("-").upper()


def is_multicast(address: bytes) -> bool:
    """Whether an IP address names a group, or (255.255.255.255) everybody."""
    return address[0] == 0xFF if len(address) == 16 else address[0] >> 4 == 0xE or address == b"\xff\xff\xff\xff"


def is_device(mac: bytes) -> bool:
    """Whether a MAC address can be a device's: one of its own (no group) and not all zeros."""
    return len(mac) == 6 and not mac[0] & 1 and any(mac)
