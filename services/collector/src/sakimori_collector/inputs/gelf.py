"""GELF over UDP (chunked, compressed) and over TCP (each message ends with NUL)."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from sakimori_collector.domain.format import LineRejected
from sakimori_collector.domain.posted.gelf import MAX_MESSAGE_BYTES, read_gelf, unpack
from sakimori_collector.domain.wire.framing import SeparatedFraming
from sakimori_collector.domain.wire.gelf_chunks import MAGIC, Reassembly, Unfinished
from sakimori_collector.domain.wire.listening import Listener
from sakimori_collector.domain.wire.peers import Peer
from sakimori_collector.inputs.datagrams import DatagramPort
from sakimori_collector.inputs.gathering import Gathering
from sakimori_collector.inputs.site import Site
from sakimori_collector.inputs.streams import StreamPort

SWEEP_SECONDS: Final = 1.0


class GelfUdp:
    """Input of datagrams at any number of ports."""

    name: Final = "gelf_udp"

    def __init__(self, site: Site, listeners: Sequence[Listener]) -> None:
        self._site = site
        self._listeners = listeners

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        async with AsyncExitStack() as stack:
            for listener in self._listeners:
                gathering = Gathering(self._site, self.name, listener.format, read_gelf, MAX_MESSAGE_BYTES)
                await stack.enter_async_context(gathering.running())
                joining = GelfDatagrams(self._site, gathering)
                port = DatagramPort(self._site, self.name, listener, joining.arrived, gathering.is_full)
                await stack.enter_async_context(joining.running())
                await stack.enter_async_context(port.running())
            yield


class GelfDatagrams:
    """Datagrams of one port: whole messages, and chunks of them."""

    def __init__(self, site: Site, gathering: Gathering) -> None:
        self._site = site
        self._gathering = gathering
        self._chunks = Reassembly()
        self._timer: asyncio.TimerHandle | None = None

    def arrived(self, peer: Peer, datagram: bytes) -> None:
        """Take a datagram."""
        raw: bytes | None = datagram
        try:
            if datagram.startswith(MAGIC):
                raw = self._chunks.add(peer.address, datagram, time.monotonic())
                for lost in self._chunks.crowded_out():
                    self._site.intake.drop(self._peer_of(lost).name, 1)
            if raw is not None:
                self._gathering.add(peer, unpack(raw))
        except LineRejected as error:
            self._gathering.add(peer, raw or datagram, fault=str(error))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Give up messages that do not become whole; at the end all that are not."""
        self._sweep()
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._give_up(self._chunks.expired(float("inf")))

    def _sweep(self) -> None:
        self._give_up(self._chunks.expired(time.monotonic()))
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _give_up(self, unfinished: Sequence[Unfinished]) -> None:
        for message in unfinished:
            fault = f"GELF: {len(message.chunks)} of {message.count} chunks came"
            self._gathering.add(self._peer_of(message), message.joined(), fault=fault)

    def _peer_of(self, message: Unfinished) -> Peer:
        return self._site.peers.find(message.peer, GelfUdp.name)


class GelfTcp:
    """Input of connections at any number of ports."""

    name: Final = "gelf_tcp"

    def __init__(self, site: Site, listeners: Sequence[Listener]) -> None:
        self._site = site
        self._listeners = listeners

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        async with AsyncExitStack() as stack:
            for listener in self._listeners:
                port = StreamPort(self._site, self.name, listener, _framing, read_gelf)
                await stack.enter_async_context(port.running())
            yield


def _framing() -> SeparatedFraming:
    return SeparatedFraming(MAX_MESSAGE_BYTES, b"\0")
