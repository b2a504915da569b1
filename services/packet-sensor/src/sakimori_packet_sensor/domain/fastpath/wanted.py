"""Which of many packets belong to what somebody asks for."""

from ipaddress import ip_address
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.compiled import compiled, inlined
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.header import HEADER
from sakimori_packet_sensor.domain.fastpath.network import read_frame

_MAX_ENDS: Final = 2
_WITH_PORTS: Final = (6, 17, 132)


class Wanted(NamedTuple):
    """Packets from `since` to before `until` (microseconds) that concern all `addresses` and `ports`, up to two each.

    An address is IPv4, IPv6 (of the innermost packet, should it be in a tunnel; IPv4 in ARP messages, too) or MAC.
    `protocol` is IP's number. Fragments without ports are taken for their addresses.
    """

    since: int
    until: int
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    protocol: int | None = None


class _Question(NamedTuple):
    """The same for compiled code: -1 for any protocol, addresses as 16 bytes of which `lengths` count."""

    since: int
    until: int
    protocol: int
    ports: npt.NDArray[np.int64]
    addresses: npt.NDArray[np.uint8]
    lengths: npt.NDArray[np.int64]


class Chooser:
    """Finds the packets that are wanted. Raises ValueError for what is no address, or more than two ends."""

    def __init__(self, wanted: Wanted) -> None:
        if len(wanted.addresses) > _MAX_ENDS or len(wanted.ports) > _MAX_ENDS:
            raise ValueError("a conversation has two ends")
        packed = [address_bytes(text) for text in wanted.addresses]
        self._question = _Question(
            wanted.since,
            wanted.until,
            -1 if wanted.protocol is None else wanted.protocol,
            np.array(wanted.ports, np.int64),
            np.frombuffer(b"".join(address.ljust(16, b"\0") for address in packed), np.uint8).reshape(-1, 16),
            np.array([len(address) for address in packed], np.int64),
        )

    def choose(self, block: Block) -> Block:
        """Keep what is wanted."""
        keep = choose(block, self._question)
        data, at, captured, wire, time, link = block
        return Block(data, at[keep], captured[keep], wire[keep], time[keep], link[keep])


def address_bytes(text: str) -> bytes:
    """Read an IP address (4 or 16 bytes) or a MAC address (6), however its bytes are parted. Raises ValueError."""
    digits = text.replace("-", ":").split(":")
    if len(digits) == 6 and all(len(part) == 2 for part in digits):
        return bytes.fromhex("".join(digits))
    return ip_address(text).packed


@compiled
def choose(block: Block, wanted: _Question) -> npt.NDArray[np.bool_]:
    """Tell of each packet whether it is wanted."""
    data, at, captured, wire, time, link = block
    keep = np.zeros(len(at), np.bool_)
    headers = np.zeros(2, HEADER)
    head = headers[0]
    for i in range(len(at)):
        if not wanted.since <= time[i] < wanted.until:
            continue
        on_wire = np.int64(max(wire[i], captured[i]))
        status = read_frame(data, at[i], at[i] + captured[i], at[i] + on_wire, np.int64(link[i]), headers)
        if wanted.protocol >= 0 and (status != h.IS_IP or head.protocol != wanted.protocol):
            continue
        keep[i] = _has_ports(status, head, wanted.ports)
        for k in range(len(wanted.lengths)):
            keep[i] = keep[i] and _concerns(data, status, head, wanted.addresses[k], wanted.lengths[k])
    return keep


@inlined
def _has_ports(status: Int, head: Record, ports: Array) -> bool:
    if len(ports) == 0:
        return True
    if status != h.IS_IP:
        return False
    if head.fragment == h.LATER_FRAGMENT:
        return True
    if head.protocol not in _WITH_PORTS:
        return False
    for port in ports:  # noqa: SIM110  # compiled
        if port not in (head.source_port, head.destination_port):
            return False
    return True


@inlined
def _concerns(data: Array, status: Int, head: Record, address: Array, length: Int) -> bool:
    if length == 6:
        return _equal(data, head.destination_mac_at, address, 6) or _equal(data, head.source_mac_at, address, 6)
    if status == h.IS_ARP:
        message = head.payload_at
        return length == 4 and (_equal(data, message + 14, address, 4) or _equal(data, message + 24, address, 4))
    if status != h.IS_IP or (head.version == 4) != (length == 4):
        return False
    return _equal(data, head.source_at, address, length) or _equal(data, head.destination_at, address, length)


@inlined
def _equal(data: Array, at: Int, address: Array, length: Int) -> bool:
    if at < 0:
        return False
    for k in range(length):  # noqa: SIM110  # compiled
        if data[at + k] != address[k]:
            return False
    return True
