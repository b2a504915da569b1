"""Community ID 1.0 (github.com/corelight/community-id-spec): the name of a flow that other tools give it too."""

from binascii import b2a_base64
from hashlib import sha1
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT
from sakimori_packet_sensor.domain.flows.icmp import COUNTERPARTS

_SEED: Final = b"\x00\x00"
_PORTS: Final = Struct("!BBHH")


def community_id(source: bytes, destination: bytes, protocol: int, source_port: int, destination_port: int) -> str:
    """Name a flow, the same from either direction, with seed 0.

    Of ICMP the ports are those of `icmp.as_ports`; NO_PORT where the protocol has none.
    """
    is_one_way = protocol in COUNTERPARTS and COUNTERPARTS[protocol].get(source_port) != destination_port
    if not is_one_way and (destination, destination_port) < (source, source_port):
        source, destination = destination, source
        source_port, destination_port = destination_port, source_port
    if source_port == NO_PORT:
        named = _SEED + source + destination + bytes((protocol, 0))
    else:
        named = _SEED + source + destination + _PORTS.pack(protocol, 0, source_port, destination_port)
    return "1:" + b2a_base64(sha1(named, usedforsecurity=False).digest(), newline=False).decode()
