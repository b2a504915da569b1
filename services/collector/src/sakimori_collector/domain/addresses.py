"""Who is at the other end: an address, or a name where the daemon resolves them."""

import ipaddress
import re
from functools import lru_cache

from sakimori_common.contracts import FieldValue

_NAME = re.compile(r"[\w.-]{1,253}")


@lru_cache(maxsize=65_536)
def canonical_ip(text: str) -> str | None:
    """Write an address the one way RFC 5952 has it, IPv4 in IPv6 as IPv4, without zone; None when it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def put_source(fields: dict[str, FieldValue], text: str) -> None:
    """Set `source.ip`, or `source.domain` for a name; what is neither is left out."""
    ip = canonical_ip(text)
    if ip is not None:
        fields["source.ip"] = ip
    elif _NAME.fullmatch(text):
        fields["source.domain"] = text
