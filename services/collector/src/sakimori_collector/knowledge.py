"""What is known beside the lines, kept fresh behind the back of the hot path: files, devices, names from DNS."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from sakimori_collector.adapters.asset_file import AssetFile
from sakimori_collector.adapters.geoip import GeoDatabase, GeoFacts
from sakimori_collector.domain.enrichment.enrichment import Enrichment
from sakimori_collector.domain.enrichment.facts import Address, AddressFacts, Facts
from sakimori_collector.domain.enrichment.networks import Networks, parse_networks
from sakimori_collector.domain.enrichment.user_agents import UserAgents
from sakimori_collector.handlers import Learn
from sakimori_collector.ports import DeviceView, DnsNameStore
from sakimori_collector.settings import CollectorSettings, parse_paths
from sakimori_collector.sightings import KnownDevices, KnownNames
from sakimori_common.bus import Unavailable

REFRESH_SECONDS: Final = 10.0

Refresh = Callable[[], Awaitable[bool]]


class Knowledge:
    """Enrichment as the settings ask for it: `enrichment` uses what is known, `refresh` reads what changed.

    What cannot be read now stays as it was, and is said once.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        view: DeviceView,
        store: DnsNameStore,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._log = log
        self._geo = GeoFacts([GeoDatabase(path, log) for path in parse_paths(settings.geoip_files)])
        self._assets = AssetFile(settings.assets_file, log) if settings.assets_file is not None else None
        self._devices = KnownDevices(view) if settings.device_names else None
        self._names = KnownNames(store) if settings.dns_names else None
        self._silent: set[str] = set()
        self.enrichment = self._enrichment(settings)

    @property
    def learn(self) -> Learn | None:
        """Takes note of what the sensor saw, for all replicas; None where nobody asks for names."""
        return self._names.learn if self._names is not None else None

    async def keep_fresh(self) -> None:
        """Refresh again and again."""
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read what changed, and hand on what was learnt."""
        changed = [await asyncio.to_thread(self._read_files)]
        if self._devices is not None:
            changed.append(await self._refreshed("devices", self._devices.refresh))
        if self._names is not None:
            changed.append(await self._refreshed("dns_names", self._names.refresh))
        if any(changed):
            self.enrichment.forget()

    def _enrichment(self, settings: CollectorSettings) -> Enrichment:
        addresses: list[AddressFacts] = []
        if settings.networks:
            addresses.append(Networks(parse_networks(settings.trusted_networks)).facts)
        if settings.geoip_files:
            addresses.append(self._geo.facts)
        if self._names is not None:
            addresses.append(self._names.facts)
        if self._devices is not None:
            addresses.append(self._devices.facts)
        agents = UserAgents().facts if settings.user_agents else None
        if (assets := self._assets) is None:
            return Enrichment(addresses, agents)
        addresses.append(lambda address: self._asset_of(assets, address))
        return Enrichment(addresses, agents, assets.of_host, assets.of_mac)

    def _asset_of(self, file: AssetFile, address: Address) -> Facts:
        """Find the asset of the device that has an address, else that of the address."""
        mac = self._devices.mac_of(address) if self._devices is not None else ""
        return file.of_mac(mac) or file.facts(address)

    def _read_files(self) -> bool:
        return any([self._geo.refresh(), self._assets is not None and self._assets.refresh()])

    async def _refreshed(self, what: str, refresh: Refresh) -> bool:
        try:
            changed = await refresh()
        except Unavailable as error:
            if what not in self._silent:
                self._log.warning("enrichment_not_refreshed", what=what, reason=str(error))
            self._silent.add(what)
            return False
        self._silent.discard(what)
        return changed
