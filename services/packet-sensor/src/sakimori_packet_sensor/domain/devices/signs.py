"""Signs: what a device showed of itself, as short texts that tell its kind and not the single piece.

`dhcp.hostname:dch-s160` is a sign; the serial number or MAC address that often follows in such a name is not part of
it. So nothing that is learnt of signs can know a device again by its address.
"""

import re
from functools import lru_cache
from typing import Final

MAX_CHARACTERS: Final = 80
"""Of a sign's text; longer ones are cut."""

_SERIAL: Final = re.compile(r"(?=[a-f]*\d)[0-9a-f]{4,}")
"""Four and more hexadecimal digits in a row, a decimal one among them: the end of a MAC address, a serial number."""
_LONG_HEX: Final = re.compile(r"[0-9a-f]{8,}")
_DIGITS: Final = re.compile(r"\d+")
_PAIRS: Final = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COUNT: Final = re.compile(r" ?\(\d+\)")
"""What Bonjour puts behind a name that is taken: ` (2)` (RFC 6762, section 9)."""
_EDGES: Final = " \t-_.:,;[]()\"'#"


@lru_cache(8192)
def named(kind: str, text: str) -> str:
    """Make a sign of a name, in which model numbers count: `Lightify-7B5F6B` gives `dhcp.hostname:lightify`.

    Empty when nothing is left.
    """
    rest = _COUNT.sub("", text.casefold())
    for serial in (_UUID, _PAIRS, _LONG_HEX, _SERIAL):
        rest = serial.sub("", rest)
    rest = " ".join(rest.split()).strip(_EDGES)
    return f"{kind}:{rest[:MAX_CHARACTERS]}" if rest else ""


@lru_cache(8192)
def numbered(kind: str, text: str) -> str:
    """Make a sign of a name in which numbers say nothing, such as that of a server: each run of digits becomes `#`."""
    rest = text.casefold()
    for serial in (_UUID, _PAIRS, _LONG_HEX):
        rest = serial.sub("#", rest)
    rest = _DIGITS.sub("#", rest).strip(" .")
    return f"{kind}:{rest[:MAX_CHARACTERS]}" if rest.strip(_EDGES) else ""


def plain(kind: str, text: str) -> str:
    """Make a sign of what is a code by itself, such as a DHCP fingerprint."""
    return f"{kind}:{text.casefold()[:MAX_CHARACTERS]}" if text else ""
