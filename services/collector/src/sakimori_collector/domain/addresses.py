"""Who is at the other end: an address, or a name where the daemon resolves them."""

import ipaddress
import re
from functools import lru_cache

from sakimori_common.contracts import FieldValue

_NAME = re.compile(r"[\w.-]{1,253}")
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}")
"""What `ipaddress` takes and writes unchanged, at a fifth of the cost."""
_LONGEST = 45
"""Characters of an address: IPv6 with IPv4 at its end. Anything longer must not fill the memory of those parsed."""


def canonical_ip(text: str) -> str | None:
    """Write an address the one way RFC 5952 has it, IPv4 in IPv6 as IPv4, without zone; None when it is none."""
    if "%" in text:
        text = text.partition("%")[0]
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=65_536)
def _parsed(text: str) -> str | None:
    if _IPV4.fullmatch(text):
        return text
    try:
        address = ipaddress.ip_address(text)
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
