"""Edimax' cloud protocol (UDP 8765 and 8766, broadcasts on any port): what plugs and cameras say of themselves.

Undocumented; as seen on the wire. XML in which each byte is rotated to the right by 0 to 7 bits, but for the first, to
which that number is added: so a datagram begins with a byte of `<` (0x3c) to 0x43.
"""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.edimax"
_MARK: Final = b"<param>"
_FIRST: Final = _MARK[0]
_ROTATED: Final = tuple(bytes((byte << bits | byte >> (8 - bits)) & 0xFF for byte in range(256)) for bits in range(8))
"""Tables that turn bytes back, by the number of bits."""
_VALUE: Final = re.compile(rb'<(code|model|type|encryption|nattype)[ \t]+value="([^"<>]{1,64})"')
_MOST_BYTES: Final = 2048


class Edimax:
    """Decodes datagrams, each by itself. Identifiers, names and addresses in them are not kept."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram; keep-alive packets say nothing. Raises Malformed."""
        text = plain(data)
        if not text.startswith(_MARK):
            return Read((), len(data))
        return Read((Message(DATASET, decode_edimax(text), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: a datagram has its answer in another."""
        return ()


def plain(data: bytes) -> bytes:
    """Turn the bytes of a datagram back; empty when it is none."""
    bits = data[0] - _FIRST if data else -1
    return _MARK[:1] + data[1:_MOST_BYTES].translate(_ROTATED[bits]) if 0 <= bits < 8 else b""


def decode_edimax(text: bytes) -> Fields:
    """Decode a message, turned back, into `edimax.*`. Raises Malformed: it has no code."""
    fields: Fields = {f"edimax.{name.decode()}": text_of(value) for name, value in _VALUE.findall(text)}
    if "edimax.code" not in fields:
        raise Malformed("a message without code")
    return fields


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    return Verdict.YES if plain(data[: len(_MARK)]) == _MARK else Verdict.NO


PROTOCOL: Final = ProtocolKind(
    "edimax", UDP, _recognise, Edimax, frozenset({8765, 8766}), first_bytes=frozenset(range(_FIRST, _FIRST + 8))
)
