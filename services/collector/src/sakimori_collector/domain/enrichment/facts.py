"""Facts about an address, and how they get into an event."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from sakimori_common.contracts import FieldValue

Address = IPv4Address | IPv6Address
Facts = Mapping[str, FieldValue]
AddressFacts = Callable[[Address], Facts]
"""What is known of an address: field names with `{side}` where `source` or `destination` belongs."""

NOTHING: Final[Facts] = {}
_MOST_FIELDS: Final = 200
"""An event with more gets no others: 256 are all that an event may have."""
_LONGEST: Final = 45
"""Characters of an address."""
_OURS: Final = "sakimori."


def address_of(text: str) -> Address | None:
    """Parse an address, IPv4 in IPv6 as IPv4; None for what is none."""
    if len(text) > _LONGEST:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def put(fields: dict[str, FieldValue], facts: Facts) -> None:
    """Add facts to an event; what its line said of the same stays, but for what is ours to say."""
    if len(fields) > _MOST_FIELDS:
        return
    if fields.keys().isdisjoint(facts):
        fields.update(facts)
        return
    for name, value in facts.items():
        if name not in fields or name.startswith(_OURS):
            fields[name] = value
