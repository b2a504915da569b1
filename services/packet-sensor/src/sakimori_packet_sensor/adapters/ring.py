"""Packets from a network interface: a ring that the kernel fills and we map (packet(7), TPACKET_V3)."""

import errno
import mmap
import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import ioctl
from struct import pack, unpack, unpack_from
from typing import Final, NamedTuple

import numpy as np

from sakimori_packet_sensor.adapters.bpf import compile_filter
from sakimori_packet_sensor.domain.capture import Block, CaptureError
from sakimori_packet_sensor.domain.capture.bpf import INSTRUCTION, Program
from sakimori_packet_sensor.domain.capture.ring import MIN_PACKET_BYTES, STATUS_AT, TAG_BYTES, Source, index
from sakimori_packet_sensor.domain.capture.window import Columns

BLOCK_BYTES: Final = 1 << 20
"""What the kernel hands over at once, when there is much; some 2,500 packets of mixed size."""
_MIN_RING_MB: Final = 4  # of one block alone the kernel writes no more while it is read
RETIRE_MILLISECONDS: Final = 20
"""How long a packet waits in a block that does not fill: part of the time from packet to event."""

_ETHERNET, _RAW_IP = 1, 101
_LINK_TYPES: Final = {1: _ETHERNET, 772: _ETHERNET, 801: 105, 803: 127}
"""Interface type (ARPHRD_*) to link type: Ethernet, loopback, IEEE 802.11 without and with radiotap headers.

Of all others (tun, PPP, tunnels) the kernel takes the link header away, and what remains is raw IP."""
_LOOPBACK: Final = 772

_SIOCGIFHWADDR = 0x8927
_MAX_NAME_BYTES = 15
_ALL_PROTOCOLS = 3
_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _RESERVE, _FANOUT, _IGNORE_OUTGOING = 1, 5, 6, 10, 12, 18, 23
_TPACKET_V3 = 2
_PROMISCUOUS = 1
_FANOUT_HASH, _FANOUT_DEFRAGMENT = 0, 0x8000
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
_FRAME_BYTES = 2048  # has no meaning for blocks, but must divide them

_NOTHING: Final = np.array([(6, 0, 0, 0)], INSTRUCTION)
"""The filter that accepts no packet."""


class RingError(CaptureError):
    """The interface cannot be read; with `should_retry` it may be possible later, and without anybody doing a thing."""

    def __init__(self, message: str, *, should_retry: bool) -> None:
        super().__init__(message)
        self.should_retry = should_retry


class RingStatistics(NamedTuple):
    """Since the ring was opened: packets that came in, those lost for want of room, and how often there was none."""

    packets: int
    drops: int
    freezes: int


class Ring:
    """One interface, or a share of it. For one thread; made and closed by `open_ring`."""

    def __init__(self, interface: str, file: socket.socket, source: Source, ring_mb: int) -> None:
        self.interface = interface
        self._socket = file
        self._source = source
        self._blocks = ring_mb * 1024 * 1024 // BLOCK_BYTES
        self._memory = mmap.mmap(file.fileno(), self._blocks * BLOCK_BYTES)
        self._bytes = np.frombuffer(self._memory, np.uint8)
        self._words = np.frombuffer(self._memory, np.uint32)
        self._next = 0
        self._is_taken = False
        self._columns = Columns.of(BLOCK_BYTES // MIN_PACKET_BYTES)
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)
        self._counts = RingStatistics(0, 0, 0)

    def fileno(self) -> int:
        """Name the descriptor for those who poll several rings at once: readable when `wait(0)` has something."""
        return self._socket.fileno()

    @property
    def link_type(self) -> int:
        """What the packets are, as tcpdump.org/linktypes numbers it."""
        return self._source.link_type

    @property
    def fill_ratio(self) -> float:
        """How much of the ring waits to be read, 0 to 1; at 1 packets are lost."""
        return float(np.mean(self._words[STATUS_AT // 4 :: BLOCK_BYTES // 4] & 1))

    def wait(self, timeout_seconds: float) -> Block | None:
        """Return the next packets, good until the next call; None when none came in time.

        Nothing is copied: `data` is the whole ring. Raises RingError when the interface went down or away.
        """
        self._give_back()
        if not self._is_ready:
            for _, events in self._poll.poll(max(0.0, timeout_seconds) * 1000):
                if events & ~select.POLLIN:
                    self._raise_problem()
            if not self._is_ready:
                return None
        self._is_taken = True
        begin = self._next * BLOCK_BYTES
        count = index(self._bytes, begin, begin + BLOCK_BYTES, self._source, self._columns)
        return self._columns.block(self._bytes, count) if count else None

    def statistics(self) -> RingStatistics:
        """Count what came and what was lost; the kernel forgets what it told, so the sums are kept here."""
        arrived, drops, freezes = unpack("III", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        before = self._counts
        self._counts = RingStatistics(before.packets + arrived - drops, before.drops + drops, before.freezes + freezes)
        return self._counts

    def close(self) -> None:
        """Take no more packets. The memory goes with the last block that somebody holds."""
        with suppress(OSError):
            _attach(self._socket, _NOTHING)  # the mapping keeps the socket alive
        del self._bytes, self._words
        with suppress(BufferError):
            self._memory.close()

    @property
    def _status_at(self) -> int:
        return (self._next * BLOCK_BYTES + STATUS_AT) // 4

    @property
    def _is_ready(self) -> bool:
        return bool(self._words[self._status_at] & 1)

    def _give_back(self) -> None:
        if self._is_taken:
            self._words[self._status_at] = 0
            self._next = (self._next + 1) % self._blocks
            self._is_taken = False

    def _raise_problem(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise _problem(self.interface, code)


@contextmanager
def open_ring(
    interface: str,
    *,
    ring_mb: int = 64,
    packet_filter: str | None = None,
    fanout: int | None = None,
    defragment: bool = False,
    promiscuous: bool = True,
) -> Iterator[Ring]:
    """Read an interface until the block ends, from the moment of return on. Needs CAP_NET_RAW, nothing more.

    `ring_mb` (at least 4) is how much may wait to be read. `packet_filter` is an expression (see bpf.py); it sees
    packets without the VLAN tag that the kernel takes out, so `port 53` holds for tagged ones, too, `vlan 7` for none.
    Rings with the same group number `fanout` (0 to 65,535), also of other processes, share the packets: all of a
    connection, both directions, go to one of them. Fragments go by their addresses alone, hence possibly to another
    ring than the rest of their connection; with `defragment` the kernel joins them first, but then nobody sees
    fragments that overlap. Raises RingError, and CaptureError for a bad filter.
    """
    ring_mb = max(ring_mb, _MIN_RING_MB)
    with ExitStack() as stack:
        try:
            kind = _interface_type(interface)
            source = Source(_LINK_TYPES.get(kind, _RAW_IP), kind not in _LINK_TYPES)
            program = compile_filter(packet_filter, source.link_type) if packet_filter else None
            file = stack.enter_context(_bound(interface, kind, source.is_cooked, ring_mb))
            ring = Ring(interface, file, source, ring_mb)
            stack.callback(ring.close)
            _begin(file, socket.if_nametoindex(interface), fanout, defragment, promiscuous)
            _attach(file, program)
        except OSError as error:
            raise _problem(interface, error.errno or 0, ring_mb) from None
        yield ring


def _interface_type(interface: str) -> int:
    """Ask for the ARPHRD number. Raises OSError for an interface that is not there."""
    name = interface.encode()
    if len(name) > _MAX_NAME_BYTES or b"\0" in name:
        raise OSError(errno.ENODEV, "no interface is called that")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = ioctl(asking.fileno(), _SIOCGIFHWADDR, pack("16s24x", name))
    (kind,) = unpack_from("H", answer, 16)
    return int(kind)


def _bound(interface: str, kind: int, is_cooked: bool, ring_mb: int) -> socket.socket:
    """Make a socket with a ring that lets no packet in yet.

    Until it is bound it belongs to no protocol, until it has joined its group and has its filter it accepts nothing:
    so no packet comes that the group shares or the filter refuses.
    """
    file = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM if is_cooked else socket.SOCK_RAW, 0)
    try:
        file.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        file.setsockopt(_SOL_PACKET, _RESERVE, TAG_BYTES)
        blocks = ring_mb * 1024 * 1024 // BLOCK_BYTES
        frames = blocks * (BLOCK_BYTES // _FRAME_BYTES)
        ring = pack("7I", BLOCK_BYTES, blocks, _FRAME_BYTES, frames, RETIRE_MILLISECONDS, 0, 0)
        file.setsockopt(_SOL_PACKET, _RX_RING, ring)
        if kind == _LOOPBACK:  # each packet goes out and comes in
            file.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        _attach(file, _NOTHING)
        file.bind((interface, _ALL_PROTOCOLS))
        if code := file.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
    except BaseException:
        file.close()
        raise
    return file


def _begin(file: socket.socket, number: int, fanout: int | None, defragment: bool, promiscuous: bool) -> None:
    if fanout is not None:
        how = _FANOUT_HASH | (_FANOUT_DEFRAGMENT if defragment else 0)
        file.setsockopt(_SOL_PACKET, _FANOUT, pack("I", (fanout & 0xFFFF) | how << 16))
    if promiscuous:
        file.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, pack("iHH8x", number, _PROMISCUOUS, 0))


def _attach(file: socket.socket, program: Program | None) -> None:
    if program is None:
        file.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
        return
    instructions = np.ascontiguousarray(program)
    file.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, pack("HP", len(instructions), instructions.ctypes.data))


def _problem(interface: str, code: int, ring_mb: int = 0) -> RingError:
    """Say what to do about an error of the system."""
    if code in {errno.EPERM, errno.EACCES}:
        return RingError(
            f"interface {interface} may not be captured: that needs the capability NET_RAW (in a container `cap_add: "
            "[NET_RAW]`; else root, or `sudo setcap cap_net_raw+ep` on the Python program that runs this)",
            should_retry=False,
        )
    if code in {errno.ENODEV, errno.ENXIO}:
        present = ", ".join(name for _, name in socket.if_nameindex())
        return RingError(f"there is no interface {interface}; there are: {present}", should_retry=True)
    if code == errno.ENETDOWN:
        return RingError(
            f"interface {interface} is down or was taken away; `ip link set {interface} up` brings it up",
            should_retry=True,
        )
    if code == errno.ENOMEM:
        return RingError(f"there is no memory for a ring of {ring_mb} MB; ask for less", should_retry=True)
    return RingError(f"interface {interface} cannot be captured: {os.strerror(code)}", should_retry=True)
