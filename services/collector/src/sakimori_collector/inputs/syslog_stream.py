"""Syslog over TCP (RFC 6587) and over TLS (RFC 5425)."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sakimori_collector.domain.wire.framing import SyslogFraming
from sakimori_collector.domain.wire.listening import Listener
from sakimori_collector.domain.wire.received import read_received
from sakimori_collector.inputs.site import Site
from sakimori_collector.inputs.streams import StreamPort


class SyslogStream:
    """Input of connections at any number of ports, all in clear or all with TLS."""

    def __init__(self, site: Site, listeners: Sequence[Listener], tls: ssl.SSLContext | None = None) -> None:
        self._site = site
        self._listeners = listeners
        self._tls = tls

    @property
    def name(self) -> str:
        """Name the kind of input."""
        return "syslog_tcp" if self._tls is None else "syslog_tls"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        limit = self._site.limits.message_bytes
        async with AsyncExitStack() as stack:
            for listener in self._listeners:
                port = StreamPort(
                    self._site, self.name, listener, lambda: SyslogFraming(limit), read_received, tls=self._tls
                )
                await stack.enter_async_context(port.running())
            yield


def server_tls(certificate: Path, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    """Make the context of a server; with `client_ca` only clients with a certificate of it get in.

    Raises OSError (ssl.SSLError is one) when a file cannot be read or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
