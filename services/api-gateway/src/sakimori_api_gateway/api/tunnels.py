"""The WebSockets that are open through the gateway: bounded in number, ended for the blocked and at the end."""

import asyncio

from sakimori_api_gateway.api.enforcement import Enforcement
from sakimori_api_gateway.metrics import GatewayMetrics

CHECK_SECONDS = 0.5


class TunnelsFull(Exception):
    """As many WebSockets are open as may be."""


class Tunnel:
    """One WebSocket of a client; `is_blocked` is set once its address is locked out."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_blocked = asyncio.Event()


class Tunnels:
    """All of them."""

    def __init__(self, most: int, enforcement: Enforcement, metrics: GatewayMetrics) -> None:
        self._most = most
        self._enforcement = enforcement
        self._metrics = metrics
        self._open: set[Tunnel] = set()
        self.stopping = asyncio.Event()

    def join(self, address: str) -> Tunnel:
        """Add one. Raises TunnelsFull."""
        if len(self._open) >= self._most:
            raise TunnelsFull
        tunnel = Tunnel(address)
        self._open.add(tunnel)
        self._metrics.tunnels.set(len(self._open))
        return tunnel

    def leave(self, tunnel: Tunnel) -> None:
        """Take one away."""
        self._open.discard(tunnel)
        self._metrics.tunnels.set(len(self._open))

    async def keep_out(self) -> None:
        """End for ever the tunnels of addresses that are locked out meanwhile."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for tunnel in self._open:
                if self._enforcement.remaining_seconds(tunnel.address) is not None:
                    tunnel.is_blocked.set()
