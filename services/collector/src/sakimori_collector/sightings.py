"""What the sensor saw, as this replica remembers it: devices from its view, names from the answers that it reported."""

import time
from collections.abc import Sequence
from typing import Final

from sakimori_collector.domain.enrichment.facts import Address, Facts
from sakimori_collector.domain.enrichment.sightings import (
    LASTING_SECONDS,
    MOST_NAMES,
    Devices,
    DnsNames,
    sightings_in,
)
from sakimori_collector.ports import DeviceView, DnsNameStore
from sakimori_common.contracts import Event

_WAITING: Final = 10_000
"""Names learnt between two exchanges; of a flood of answers the rest is not remembered."""
_OVERLAP_SECONDS: Final = 120.0
"""Another replica may hand in late what it saw before: so far back is read again."""


class KnownDevices:
    """The sensor's devices as they were last read."""

    def __init__(self, view: DeviceView) -> None:
        self._view = view
        self._devices = Devices({})
        self._read: object = {}

    async def refresh(self) -> bool:
        """Read them; tells whether there is anything new. Raises Unavailable."""
        known = await self._view.read()
        if known == self._read:
            return False
        self._read, self._devices = known, Devices(known)
        return True

    def facts(self, address: Address) -> Facts:
        """Say which device has an address."""
        return self._devices.facts(address)

    def mac_of(self, address: Address) -> str:
        """Name the device that has an address; empty for none."""
        device = self._devices.of(address)
        return device.mac if device is not None else ""


class KnownNames:
    """Names of addresses: learnt from what passes the store worker of this replica, exchanged with the others."""

    def __init__(self, store: DnsNameStore) -> None:
        self._store = store
        self._learnt: dict[str, tuple[str, float]] = {}
        self._known: dict[str, tuple[str, float]] = {}
        self._names = DnsNames({})
        self._read_until = 0.0

    def learn(self, events: Sequence[Event]) -> None:
        """Take note of the names in events of now; those of old captures say nothing of today's addresses."""
        now = time.time()
        for address, (name, at) in sightings_in(events).items():
            seen = min(at / 1_000_000, now)
            if seen > now - LASTING_SECONDS and (len(self._learnt) < _WAITING or address in self._learnt):
                self._learnt[address] = (name, seen)

    async def refresh(self) -> bool:
        """Hand in what was learnt, read what all learnt; tells whether a name changed. Raises Unavailable."""
        learnt, self._learnt = self._learnt, {}
        try:
            if learnt:
                await self._store.write(learnt, time.time())
            read = await self._store.read(self._read_until)
        except Exception:
            self._learnt = {**learnt, **self._learnt}
            raise
        self._read_until = max([self._read_until, *(seen - _OVERLAP_SECONDS for _, seen in read.values())])
        return self._take({**read, **learnt})

    def facts(self, address: Address) -> Facts:
        """Name an address."""
        return self._names.facts(address)

    def _take(self, read: dict[str, tuple[str, float]]) -> bool:
        before = {address: name for address, (name, _) in self._known.items()}
        oldest = time.time() - LASTING_SECONDS
        alive = {address: named for address, named in {**self._known, **read}.items() if named[1] > oldest}
        if len(alive) > MOST_NAMES:
            alive = dict(sorted(alive.items(), key=lambda item: item[1][1])[-MOST_NAMES:])
        names = {address: name for address, (name, _) in alive.items() if name}
        self._known = alive
        if names != before:
            self._names = DnsNames(names)
        return names != before
