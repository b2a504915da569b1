"""What the engine asks of an event, and how it reads the values of one."""

import ipaddress
from functools import lru_cache
from typing import Protocol

FieldValue = str | int | float | bool | list[str | int | float | bool | None] | None


class Event(Protocol):
    """An event: flat fields, everything but the three of its envelope. Anything of this shape will do."""

    @property
    def id(self) -> str:
        """What tells it from any other; a redelivered event has the same."""

    @property
    def time(self) -> int:
        """When it happened, in microseconds since the epoch (UTC)."""

    @property
    def dataset(self) -> str:
        """What kind it is of, such as `nginx.access`; log sources of rules mean datasets."""

    @property
    def fields(self) -> dict[str, FieldValue]:
        """Its values by name."""

    def get(self, name: str) -> FieldValue:
        """Read a field, those of the envelope included; None when absent."""


def elements(value: FieldValue) -> list[FieldValue]:
    """List the values of a field: a list has several, an absent field none."""
    if isinstance(value, list):
        return [item for item in value if item is not None]
    return [] if value is None else [value]


def key_of(value: FieldValue) -> str:
    """Write a value as the text that exact tests and window keys compare: 401 and 401.0 are "401", True is "true"."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ",".join(map(key_of, value))
    return "" if value is None else str(value)


def fold(text: str) -> str:
    """Fold the case of a text, so that two texts that differ by case only become equal."""
    return text.casefold()


def number_of(value: FieldValue) -> float | None:
    """Read a number, or text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=65_536)
def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, an IPv4 one inside IPv6 as the IPv4 it is; None where it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
