"""BitTorrent: handshakes of peers (BEP 3) over TCP and uTP (BEP 29), the DHT (BEP 5), trackers over UDP (BEP 15)."""

import re
from collections import Counter
from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.bencode import decode_bencode
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
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.bittorrent"
_NAME: Final = b"\x13BitTorrent protocol"
_HANDSHAKE_BYTES: Final = 68
_WITHOUT_PEER: Final = 48
_MOST_EVENTS: Final = 16
"""Of one conversation in datagrams; a busy node has thousands a minute."""

_AZUREUS = re.compile(rb"-([A-Za-z~]{2})([0-9A-Za-z]{4})-")
_CLIENTS: Final = {
    "AZ": "Vuze", "BC": "BitComet", "DE": "Deluge", "KT": "KTorrent", "LT": "libtorrent", "lt": "rTorrent",
    "qB": "qBittorrent", "TR": "Transmission", "UM": "uTorrent Mac", "UT": "uTorrent", "UW": "uTorrent Web",
    "XL": "Xunlei", "FD": "Free Download", "SD": "Xunlei", "WW": "WebTorrent", "BT": "BitTorrent", "TX": "Tixati",
    "A2": "aria2",
}  # fmt: skip
_DHT = re.compile(rb"d(?:1:[are]|2:ip|1:v)")
_DHT_END = re.compile(rb"1:y1:([qre])")
_DHT_TYPES: Final = {b"q": "dht_query", b"r": "dht_response", b"e": "dht_error"}
_UTP = Struct(">BBHIIIHH")
_PORTS: Final = frozenset({*range(6881, 6890), 51_413})
_TRACKER: Final = b"\x00\x00\x04\x17\x27\x10\x19\x80"


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """The handshake, which says its name."""
    if data.startswith(_NAME):
        return Verdict.YES
    return Verdict.MORE if _NAME.startswith(data) else Verdict.NO


def recognise_datagram(data: bytes, _side: int, ends: Ends) -> Verdict:
    """A DHT message, a uTP packet that begins a stream or shakes hands (on usual ports any), or a tracker's client."""
    if data[:1] == b"d":
        return Verdict.YES if _DHT.match(data) and _DHT_END.search(data) else Verdict.NO
    if data[:8] == _TRACKER:
        return Verdict.YES if len(data) == 16 and data[8:12] == bytes(4) else Verdict.NO
    is_expected = ends.destination_port in _PORTS or ends.source_port in _PORTS
    return Verdict.YES if _is_utp(data, is_expected=is_expected) else Verdict.NO


def _is_utp(data: bytes, *, is_expected: bool) -> bool:
    """Whether it is a SYN of uTP, or carries a handshake; where it is expected, whether the header is one of uTP."""
    if len(data) < _UTP.size or data[0] & 15 != 1 or data[0] >> 4 > 4 or data[1] > 2:
        return False
    if _NAME in data[_UTP.size : _UTP.size + 64]:
        return True
    _, extension, connection, _, difference, window, _, answer = _UTP.unpack_from(data)
    size = _UTP.size if not extension else 30
    if is_expected and data[0] != 0x41:
        return connection > 0 and window > 0 and (len(data) > size if data[0] == 0x01 else len(data) == size)
    return data[0] == 0x41 and len(data) == size and not difference and not answer and connection > 0 and window > 0


class PeerDecoder:
    """A handshake of each side; nothing behind them is read."""

    __slots__ = ("_done",)

    def __init__(self, _ends: Ends) -> None:
        self._done = [False, False]

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side. Raises Malformed."""
        if self._done[side]:
            return Read((), len(data))
        if not data.startswith(_NAME[: len(data)]):
            raise Malformed("no handshake")
        if len(data) < _HANDSHAKE_BYTES:
            return Read((), 0)
        self._done[side] = True
        message = Message(_DATASET, handshake(data), side)
        return Read((message,), DONE if all(self._done) else len(data))

    def finish(self) -> Sequence[Message]:
        """Nothing is left."""
        return ()


def handshake(data: bytes) -> Fields:
    """Say which torrent (info hash) and, where it is whole, which software shakes hands."""
    fields: Fields = {"bittorrent.type": "handshake", "bittorrent.info_hash": data[28:_WITHOUT_PEER].hex()}
    peer = data[_WITHOUT_PEER:_HANDSHAKE_BYTES]
    if len(peer) == 20:
        fields["bittorrent.peer_id"] = peer.hex()
        fields |= client_of(peer)
    return fields


def client_of(peer: bytes) -> Fields:
    """Name the software of a peer id in Azureus' style (BEP 20)."""
    found = _AZUREUS.match(peer)
    if found is None:
        return {}
    code = found[1].decode("ascii")
    return {"bittorrent.client": f"{_CLIENTS.get(code, code)} {'.'.join(found[2].decode('ascii'))}"}


class DatagramDecoder:
    """The first messages of a conversation are events, the rest is counted by kind."""

    __slots__ = ("_counts", "_has_shaken", "_reported")

    def __init__(self, _ends: Ends) -> None:
        self._counts: Counter[str] = Counter()
        self._has_shaken = [False, False]
        self._reported = 0

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        if self._reported >= _MOST_EVENTS and (kind := _DHT_END.search(data)):
            self._counts[_DHT_TYPES[kind[1]]] += 1
            return Read((), len(data))
        if data[:1] == b"d":
            fields = _dht(data)
        elif data[:8] == _TRACKER and len(data) == 16:
            fields = {"bittorrent.type": "tracker", "bittorrent.query": "connect"}
        else:
            self._counts["utp"] += 1
            if self._has_shaken[side]:
                return Read((), len(data))
            found = data.find(_NAME, 0, 128)
            if found < 0 or found + _WITHOUT_PEER > len(data):
                return Read((), len(data))
            self._has_shaken[side] = True
            fields = handshake(data[found : found + _HANDSHAKE_BYTES])
            fields["bittorrent.transport"] = "utp"
        self._counts[str(fields["bittorrent.type"])] += 1
        if self._reported >= _MOST_EVENTS:
            return Read((), len(data))
        self._reported += 1
        return Read((Message(_DATASET, fields, side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say how much there was."""
        counts: Fields = {f"bittorrent.count.{name}": many for name, many in self._counts.items()}
        return [Message(_DATASET, {"bittorrent.type": "summary", **counts})]


def _dht(data: bytes) -> Fields:
    """A message of the DHT (KRPC): a query by its name, an answer, or an error."""
    message = decode_bencode(data)
    if not isinstance(message, dict):
        raise Malformed("no dictionary")
    kind = message.get(b"y")
    if not isinstance(kind, bytes) or kind not in _DHT_TYPES:
        raise Malformed("neither query nor answer")
    fields: Fields = {"bittorrent.type": _DHT_TYPES[kind]}
    said = message.get(b"a" if kind == b"q" else b"r")
    if isinstance(query := message.get(b"q"), bytes):
        fields["bittorrent.query"] = text_of(query, 32)
    if isinstance(said, dict):
        for key, name in ((b"id", "node_id"), (b"info_hash", "info_hash"), (b"target", "target")):
            if isinstance(value := said.get(key), bytes) and len(value) == 20:
                fields[f"bittorrent.{name}"] = value.hex()
        if isinstance(nodes := said.get(b"nodes"), bytes):
            fields["bittorrent.nodes_count"] = len(nodes) // 26
        if isinstance(peers := said.get(b"values"), list):
            fields["bittorrent.peers_count"] = len(peers)
    if isinstance(version := message.get(b"v"), bytes):
        fields["bittorrent.version"] = text_of(version, 16)
    return fields


PROTOCOLS: Final = (
    ProtocolKind(
        name="bittorrent",
        transport=TCP,
        recognise=recognise,
        decoder=PeerDecoder,
        ports=_PORTS,
        first_bytes=frozenset(b"\x13"),
    ),
    ProtocolKind(
        name="bittorrent",
        transport=UDP,
        recognise=recognise_datagram,
        decoder=DatagramDecoder,
        ports=_PORTS,
        first_bytes=frozenset(b"d\x00\x01\x11\x21\x31\x41"),
    ),
)
