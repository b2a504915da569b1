"""Syslog over UDP: a datagram is a message (RFC 5426)."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from sakimori_collector.domain.wire.listening import Listener
from sakimori_collector.domain.wire.peers import Peer
from sakimori_collector.domain.wire.received import read_received
from sakimori_collector.inputs.datagrams import DatagramPort
from sakimori_collector.inputs.gathering import Gathering
from sakimori_collector.inputs.site import Site


class SyslogUdp:
    """Input of datagrams at any number of ports."""

    name: Final = "syslog_udp"

    def __init__(self, site: Site, listeners: Sequence[Listener]) -> None:
        self._site = site
        self._listeners = listeners

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        async with AsyncExitStack() as stack:
            for listener in self._listeners:
                limit = self._site.limits.message_bytes
                gathering = Gathering(self._site, self.name, listener.format, read_received, limit)
                await stack.enter_async_context(gathering.running())
                port = DatagramPort(self._site, self.name, listener, _into(gathering), gathering.is_full)
                await stack.enter_async_context(port.running())
            yield


def _into(gathering: Gathering) -> Callable[[Peer, bytes], None]:
    def arrived(peer: Peer, datagram: bytes) -> None:
        raw = datagram.rstrip(b"\r\n\0")
        if raw:
            gathering.add(peer, raw)

    return arrived
