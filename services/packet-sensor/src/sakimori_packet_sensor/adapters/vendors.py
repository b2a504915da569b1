"""Makers by MAC address, from the IEEE's lists as the package netaddr carries them (MA-L and IAB; BSD licence)."""

import re
from functools import lru_cache
from typing import Final

from netaddr import EUI, AddrFormatError, NotRegisteredError

_NOT_A_NAME: Final = re.compile(
    r"[\s,.(]+(?:inc(?:orporated)?|corp(?:oration)?|co|company|ltd|limited|llc|llp|lp|plc|gmbh(?: ?& ?co\.? ?kg)?|ag|kg"
    r"|mbh|oy|oyj|ab|as|asa|a/s|aps|bv|b\.v|nv|n\.v|sa|s\.a|sas|sarl|srl|s\.r\.l|spa|s\.p\.a|sp|z\.?o\.?o|pty|pte|pvt"
    r"|private|kk|k\.k|sdn|bhd|s\.r\.o|a\.s|d\.o\.o|kft|zrt|usa|u\.s\.a|technolog(?:y|ies)|tech|electronics?"
    r"|international|holdings?|group|foundation)\b[).,\s]*$",
    re.IGNORECASE,
)
_CAPITALS: Final = re.compile(r"[A-Z][A-Z\-]{4,}")
_KNOWN: Final = {
    "tp-link": "TP-Link", "d-link": "D-Link", "hewlett packard": "HP", "hewlett packard enterprise": "HPE",
    "qnap systems": "QNAP", "avm audiovisuelles marketing und computersysteme": "AVM", "bsh hausgeräte": "BSH",
    "lifi labs management": "LIFX",
}  # fmt: skip
_NOBODY: Final = frozenset({"ieee registration authority", "private"})
"""Of blocks that are given out in parts, of which the list has no more, and of makers who keep it for themselves."""


@lru_cache(16_384)
def manufacturer(mac: str) -> str:
    """Name the maker of a network card, short as people call it; empty when the list has none.

    Some 50 us, then remembered.
    """
    try:
        address = EUI(mac)
        registered = address.iab if address.is_iab() else address.oui
        name = registered.registration().org
    except (AddrFormatError, NotRegisteredError, ValueError):
        return ""
    return "" if name.casefold() in _NOBODY else short_name(name)


def short_name(name: str) -> str:
    """Leave out legal forms and general words at the end: `Edimax Technology Co. Ltd.` is `Edimax`."""
    rest, before = " ".join(name.split()).strip(" ,."), ""
    while rest != before:
        before = rest
        rest = _NOT_A_NAME.sub("", rest).strip(" ,.(&") or before
    known = _KNOWN.get(rest.casefold())
    return known or _CAPITALS.sub(lambda word: word[0].capitalize(), rest)[:80]
