"""eDonkey between peers and servers (TCP and UDP), and Kademlia, the network of eMule without servers (UDP)."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    DONE,
    TCP,
    UDP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)

_EDONKEY, _EMULE, _PACKED, _KADEMLIA, _KADEMLIA_PACKED = 0xE3, 0xC5, 0xD4, 0xE4, 0xE5
_MOST_EVENTS: Final = 8
_MOST_MESSAGE: Final = 10_000_000

_TCP_CODES: Final = {
    0x01: "hello", 0x05: "bad_protocol", 0x14: "get_server_list", 0x15: "offer_files", 0x16: "search",
    0x19: "get_sources", 0x1C: "callback_request", 0x32: "server_list", 0x33: "search_result", 0x34: "server_status",
    0x38: "server_message", 0x40: "id_change", 0x41: "server_identification", 0x42: "found_sources",
    0x46: "sending_part", 0x47: "request_parts", 0x4C: "hello_answer", 0x4F: "set_file", 0x50: "file_status",
    0x54: "start_upload", 0x58: "file_name_request", 0x59: "file_name_answer",
}  # fmt: skip
_KAD_CODES: Final = {
    0x01: ("kademlia2_bootstrap_request", 2, 2), 0x09: ("kademlia2_bootstrap_answer", 27, 1500),
    0x11: ("kademlia2_hello_request", 22, 400), 0x19: ("kademlia2_hello_answer", 22, 400),
    0x21: ("kademlia2_request", 35, 35), 0x29: ("kademlia2_answer", 19, 1500),
    0x33: ("kademlia2_search_key", 20, 1500), 0x34: ("kademlia2_search_source", 28, 28),
    0x3B: ("kademlia2_search_answer", 37, 8192), 0x43: ("kademlia2_publish_key", 20, 8192),
    0x44: ("kademlia2_publish_source", 36, 1500), 0x4B: ("kademlia2_publish_answer", 19, 19),
    0x00: ("kademlia_bootstrap_request", 27, 27), 0x10: ("kademlia_hello_request", 27, 27),
    0x18: ("kademlia_hello_answer", 27, 27), 0x20: ("kademlia_request", 35, 35), 0x28: ("kademlia_answer", 19, 1500),
    0x52: ("kademlia_firewalled", 4, 40), 0x60: ("kademlia2_ping", 2, 2), 0x61: ("kademlia2_pong", 4, 4),
}  # fmt: skip
"""By code: a name, and how short and long such a datagram is."""


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """A message with a known code whose length fits what is there."""
    if len(data) < 6:
        return Verdict.MORE
    length = int.from_bytes(data[1:5], "little")
    is_whole = length + 5 <= len(data) or len(data) > 512
    if not 1 <= length <= _MOST_MESSAGE or not is_whole:
        return Verdict.NO
    return Verdict.YES if data[0] == _EDONKEY and data[5] in {0x01, 0x4C} and length > 20 else Verdict.NO


def recognise_kademlia(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """A datagram as long as its code has it."""
    known = _KAD_CODES.get(data[1]) if len(data) > 1 else None
    if known is None:
        return Verdict.NO
    if data[0] == _KADEMLIA_PACKED:  # zlib begins so
        return Verdict.YES if data[2:4] in {b"\x78\x9c", b"\x78\xda", b"\x78\x01"} else Verdict.NO
    _, least, most = known
    return Verdict.YES if least <= len(data) <= most else Verdict.NO


class EdonkeyDecoder:
    """Names the first messages of a connection."""

    __slots__ = ("_reported",)

    def __init__(self, _ends: Ends) -> None:
        self._reported = 0

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        messages: list[Message] = []
        at = 0
        while at + 6 <= len(data):
            length = int.from_bytes(data[at + 1 : at + 5], "little")
            if data[at] not in {_EDONKEY, _EMULE, _PACKED} or not 1 <= length <= _MOST_MESSAGE:
                return Read(messages, DONE)
            name = _TCP_CODES.get(data[at + 5], "other") if data[at] == _EDONKEY else "emule"
            fields: Fields = {"edonkey.message": name, "edonkey.code": data[at + 5], "edonkey.bytes": length}
            messages.append(Message("network.edonkey", fields, side))
            self._reported += 1
            if self._reported >= _MOST_EVENTS:
                return Read(messages, DONE)
            at += 5 + length
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        """Nothing is left."""
        return ()


class KademliaDecoder:
    """The first messages of a conversation are events, the rest is counted."""

    __slots__ = ("_counts", "_reported")

    def __init__(self, _ends: Ends) -> None:
        self._counts: Counter[str] = Counter()
        self._reported = 0

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take a datagram."""
        code = data[1] if len(data) > 1 and data[0] in {_KADEMLIA, _KADEMLIA_PACKED} else -1
        name = _KAD_CODES[code][0] if code in _KAD_CODES else "other"
        self._counts[name] += 1
        self._reported += 1
        if self._reported > _MOST_EVENTS:
            return Read((), len(data))
        fields: Fields = {"kademlia.message": name, "kademlia.bytes": len(data)}
        return Read((Message("network.kademlia", fields, side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say how much there was beyond the first."""
        if self._reported <= _MOST_EVENTS:
            return ()
        counts: Fields = {f"kademlia.count.{name}": many for name, many in self._counts.items()}
        return [Message("network.kademlia", {"kademlia.message": "summary", **counts})]


PROTOCOLS: Final = (
    ProtocolKind(
        name="edonkey",
        transport=TCP,
        recognise=recognise,
        decoder=EdonkeyDecoder,
        ports=frozenset({4661, 4662}),
        first_bytes=frozenset({_EDONKEY}),
    ),
    ProtocolKind(
        name="kademlia",
        transport=UDP,
        recognise=recognise_kademlia,
        decoder=KademliaDecoder,
        ports=frozenset({4672}),
        first_bytes=frozenset({_KADEMLIA, _KADEMLIA_PACKED}),
    ),
)
