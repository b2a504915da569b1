"""Which of many packets belong to what somebody asks for."""

from ipaddress import ip_address
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.compiled import compiled, inlined
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int
from sakimori_packet_sensor.domain.fastpath.network import read_frame

_MAX_ENDS: Final = 2
_WITH_PORTS: Final = (6, 17, 132)


class Wanted(NamedTuple):
    """Packets from `since` to before `until` (microseconds) that concern all `addresses` and all `ports`, up to two each.

    An address is IPv4, IPv6 (of the innermost packet, should it be in a tunnel; IPv4 in ARP messages, too) or MAC.
    `protocol` is IP's number. Fragments without ports are taken for their addresses.
    """

    since: int
    until: int
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    protocol: int | None = None


class Chooser:
    """Finds the packets that are wanted. Raises ValueError for what is no address, or more than two ends."""

    def __init__(self, wanted: Wanted) -> None:
        if len(wanted.addresses) > _MAX_ENDS or len(wanted.ports) > _MAX_ENDS:
            raise ValueError("a conversation has two ends")
        self._times = (wanted.since, wanted.until)
        self._protocol = -1 if wanted.protocol is None else wanted.protocol
        self._ports = np.array(wanted.ports, np.int64)
        self._addresses = np.zeros((len(wanted.addresses), 16), np.uint8)
        self._lengths = np.zeros(len(wanted.addresses), np.int64)
        for place, text in enumerate(wanted.addresses):
            address = address_bytes(text)
            self._addresses[place, : len(address)] = np.frombuffer(address, np.uint8)
            self._lengths[place] = len(address)

    def choose(self, block: Block) -> Block:
        """Keep what is wanted."""
        keep = choose(*block, self._times, self._protocol, self._ports, self._addresses, self._lengths)
        data, at, captured, wire, time, link = block
        return Block(data, at[keep], captured[keep], wire[keep], time[keep], link[keep])


def address_bytes(text: str) -> bytes:
    """Read an IP address (4 or 16 bytes) or a MAC address (6), however its bytes are parted. Raises ValueError."""
    digits = text.replace("-", ":").split(":")
    if len(digits) == 6 and all(len(part) == 2 for part in digits):
        return bytes.fromhex("".join(digits))
    return ip_address(text).packed


@compiled
def choose(  # noqa: PLR0917  # a compiled function gets arrays, not objects
    data: Array,
    at: Array,
    captured: Array,
    wire: Array,
    time: Array,
    link: Array,
    times: tuple[int, int],
    protocol: int,
    ports: Array,
    addresses: Array,
    lengths: Array,
) -> npt.NDArray[np.bool_]:
    """Tell of each packet whether it is wanted."""
    keep = np.zeros(len(at), np.bool_)
    head, outer = np.zeros(h.FIELDS, np.int64), np.zeros(h.FIELDS, np.int64)
    for i in range(len(at)):
        if not times[0] <= time[i] < times[1]:
            continue
        end = at[i] + captured[i]
        status = read_frame(data, at[i], end, at[i] + max(wire[i], captured[i]), link[i], head, outer)
        if protocol >= 0 and (status != h.IS_IP or head[h.PROTOCOL] != protocol):
            continue
        keep[i] = _has_ports(status, head, ports)
        for k in range(len(lengths)):
            keep[i] = keep[i] and _concerns(data, status, head, addresses[k], lengths[k])
    return keep


@inlined
def _has_ports(status: Int, head: Array, ports: Array) -> bool:
    if len(ports) == 0:
        return True
    if status != h.IS_IP:
        return False
    if head[h.FRAGMENT] == h.LATER_FRAGMENT:
        return True
    if head[h.PROTOCOL] not in _WITH_PORTS:
        return False
    for port in ports:
        if port not in (head[h.SOURCE_PORT], head[h.DESTINATION_PORT]):
            return False
    return True


@inlined
def _concerns(data: Array, status: Int, head: Array, address: Array, length: Int) -> bool:
    if length == 6:
        macs, source = head[h.MACS_AT], head[h.SOURCE_MAC_AT]
        return (macs >= 0 and _equal(data, macs, address, 6)) or (source >= 0 and _equal(data, source, address, 6))
    if status == h.IS_ARP:
        message = head[h.PAYLOAD_AT]
        return length == 4 and (_equal(data, message + 14, address, 4) or _equal(data, message + 24, address, 4))
    if status != h.IS_IP or (head[h.VERSION] == 4) != (length == 4):
        return False
    return _equal(data, head[h.SOURCE_AT], address, length) or _equal(data, head[h.DESTINATION_AT], address, length)


@inlined
def _equal(data: Array, at: Int, address: Array, length: Int) -> bool:
    for k in range(length):
        if data[at + k] != address[k]:
            return False
    return True
