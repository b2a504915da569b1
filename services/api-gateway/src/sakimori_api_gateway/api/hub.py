"""Hands each finding to every client that watches, never waiting for any."""

import asyncio

import msgspec

from sakimori_api_gateway.domain.masking import AddressMask
from sakimori_api_gateway.domain.records import TriagedFinding
from sakimori_api_gateway.metrics import GatewayMetrics

_QUEUE = 256
"""Findings that wait for one client; a browser on a bad line catches up, one that sleeps is let go."""
_MAX_CLIENTS = 500


class HubFull(Exception):
    """As many clients watch as may."""


class Watcher:
    """One client's share: JSON texts in order, until it falls behind or the gateway stops."""

    def __init__(self, *, may_see_addresses: bool) -> None:
        self.may_see_addresses = may_see_addresses
        self.texts: asyncio.Queue[str] = asyncio.Queue(_QUEUE)
        self.fell_behind = asyncio.Event()


class LiveHub:
    """The clients of the live findings."""

    def __init__(self, mask: AddressMask, metrics: GatewayMetrics) -> None:
        self._mask = mask
        self._metrics = metrics
        self._watchers: set[Watcher] = set()
        self.stopping = asyncio.Event()

    def join(self, *, may_see_addresses: bool) -> Watcher:
        """Begin to watch. Raises HubFull."""
        if len(self._watchers) >= _MAX_CLIENTS:
            raise HubFull
        watcher = Watcher(may_see_addresses=may_see_addresses)
        self._watchers.add(watcher)
        self._metrics.live_clients.set(len(self._watchers))
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Stop to watch."""
        self._watchers.discard(watcher)
        self._metrics.live_clients.set(len(self._watchers))

    def send(self, finding: TriagedFinding) -> None:
        """Hand a finding to everybody; who has 256 waiting is let go instead."""
        texts: dict[bool, str] = {}
        for watcher in list(self._watchers):
            in_clear = watcher.may_see_addresses
            if in_clear not in texts:
                texts[in_clear] = self._text(finding, in_clear=in_clear)
            try:
                watcher.texts.put_nowait(texts[in_clear])
            except asyncio.QueueFull:
                watcher.fell_behind.set()
                self._metrics.live_clients_dropped_total.inc()
                self.leave(watcher)

    def _text(self, finding: TriagedFinding, *, in_clear: bool) -> str:
        shown = finding if in_clear else self._mask.value(msgspec.to_builtins(finding))
        return msgspec.json.encode(shown).decode()
