"""A UDP port: who may send, how much, and what the kernel had to drop."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from sakimori_collector.domain.wire.listening import Listener
from sakimori_collector.domain.wire.peers import Peer
from sakimori_collector.inputs.site import Site

AT_ONCE: Final = 256
"""Datagrams read before others get a turn: about 2 ms."""
PAUSE_SECONDS: Final = 0.005
_LARGEST: Final = 65_535
_SO_RXQ_OVFL: Final = 40
"""Linux, asm-generic/socket.h: each datagram says how many were dropped before it. Python has no name for it."""
_SO_RCVBUFFORCE: Final = 33
_COUNT: Final = struct.Struct("=I")


class DatagramPort:
    """Reads one port and hands on what allowed peers send within their rate; never waits for what becomes of it."""

    def __init__(
        self,
        site: Site,
        kind: str,
        listener: Listener,
        arrived: Callable[[Peer, bytes], None],
        is_full: Callable[[], bool],
    ) -> None:
        self._site = site
        self._kind = kind
        self._listener = listener
        self._arrived = arrived
        self._is_full = is_full
        self._socket: socket.socket | None = None
        self._lost = 0
        self._resume: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read until the block ends, then what the kernel still holds. Raises OSError when the port is taken."""
        self._socket = opened = self._open()
        loop = asyncio.get_running_loop()
        loop.add_reader(opened.fileno(), self._read)
        try:
            host, port = opened.getsockname()[:2]
            buffer = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            self._site.log.info("input_opened", input=self._kind, host=host, port=port, buffer_bytes=buffer)
            yield
        finally:
            loop.remove_reader(opened.fileno())
            if self._resume is not None:
                self._resume.cancel()
            self._socket = None
            self._receive(opened, 1_000_000)
            opened.close()

    def _open(self) -> socket.socket:
        host, port = self._listener.host, self._listener.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            wanted = self._site.limits.buffer_bytes
            try:
                opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)  # only with CAP_NET_ADMIN
            except OSError:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
            opened.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            opened.bind((host, port))
        except OSError:
            opened.close()
            raise
        return opened

    def _read(self) -> None:
        if self._socket is None:
            return
        if self._is_full():
            # The kernel's buffer holds what comes; beyond it drops, and says so in the next datagram.
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket.fileno())
            self._resume = loop.call_later(PAUSE_SECONDS, self._read_again)
            return
        self._receive(self._socket, AT_ONCE)

    def _read_again(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def _receive(self, opened: socket.socket, most: int) -> None:
        now = time.monotonic()
        for _ in range(most):
            try:
                data, notes, _, sender = opened.recvmsg(_LARGEST, socket.CMSG_SPACE(_COUNT.size))
            except OSError:  # nothing more for now; what ICMP says of earlier answers is no concern of ours
                return
            if notes:
                self._note_lost(notes)
            self._take(data, sender[0], now)

    def _take(self, data: bytes, host: str, now: float) -> None:
        peer = self._site.peers.find(host, self._kind)
        if not peer.is_allowed:
            self._site.metrics.peers_refused_total.labels(self._kind, "network").inc()
        elif not self._site.rates.admit(peer.address, now):
            self._site.intake.drop(peer.name, 1)
        elif data:
            self._arrived(peer, data)

    def _note_lost(self, notes: list[tuple[int, int, bytes]]) -> None:
        for level, kind, value in notes:
            if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL) and len(value) == _COUNT.size:
                (lost,) = _COUNT.unpack(value)
                if lost != self._lost:
                    self._site.metrics.datagrams_lost_total.labels(self._kind).inc((lost - self._lost) & 0xFFFF_FFFF)
                    self._lost = lost
