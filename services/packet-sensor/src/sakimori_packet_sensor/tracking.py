"""One registry of devices for all that the sensor sees, kept in the database."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from sakimori_common.bus import Unavailable
from sakimori_common.contracts import Event
from sakimori_common.instants import now
from sakimori_packet_sensor.domain.devices.neighbourhood import MAX_DEVICES
from sakimori_packet_sensor.domain.devices.record import DeviceRecord
from sakimori_packet_sensor.domain.devices.registry import Devices
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.ports import DeviceStore

STORE_SECONDS: Final = 0.5
"""How often what is new of devices is looked for and written."""
LONGEST_REST_SECONDS: Final = 1.0
"""After a write that took long it rests for twice as long, up to this: the capture comes first."""
RETRY_SECONDS: Final = 2.0
EXPIRE_SECONDS: Final = 3600.0
KEPT_DAYS: Final = 90


class DeviceTracking:
    """Tells devices from events, whichever worker or capture they come from, and keeps what is known of them.

    While the database is away it goes on in memory; what is unwritten is one record a device, so it is bounded.
    """

    def __init__(
        self, devices: Devices, store: DeviceStore, metrics: SensorMetrics, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._devices = devices
        self._store = store
        self._metrics = metrics
        self._log = log
        self._unwritten: dict[str, DeviceRecord] = {}
        metrics.devices_known.set_function(lambda: len(devices))

    async def restore(self) -> None:
        """Go on with the devices that are known, so that none is discovered again. Raises Unavailable."""
        records = await self._store.load(MAX_DEVICES)
        self._devices.restore(records)
        if records:
            self._log.info("devices_restored", devices=len(records))

    def observe(self, events: Sequence[Event]) -> list[Event]:
        """Take events; returns those to publish."""
        return self._devices.observe(events)

    async def run(self, publish: Callable[[Sequence[Event]], None]) -> None:
        """Write what is new, for ever; events that come of the passing of time go to `publish`, which must not wait."""
        expire_at = time.monotonic()
        while True:
            await asyncio.sleep(STORE_SECONDS)
            publish(self._devices.tick(now()))
            started = time.monotonic()
            await self.write()
            if started >= expire_at:
                expire_at = started + EXPIRE_SECONDS
                await self._expire()
            rest = min(2 * (time.monotonic() - started), LONGEST_REST_SECONDS)
            await asyncio.sleep(RETRY_SECONDS if self._unwritten else rest)

    async def write(self) -> None:
        """Write what is new of devices; what the database does not take now is tried again with the next."""
        self._unwritten |= {record.mac: record for record in self._devices.take_changed()}
        if not self._unwritten:
            return
        records = list(self._unwritten.values())
        try:
            refused = await self._store.save(records)
        except Unavailable as error:
            self._metrics.device_store_failures_total.inc()
            self._log.warning("devices_unwritten", devices=len(records), reason=str(error))
            return
        self._unwritten.clear()
        if refused:
            self._log.error("devices_refused", macs=refused[:20])

    async def _expire(self) -> None:
        try:
            await self._store.expire(KEPT_DAYS)
        except Unavailable as error:
            self._log.warning("device_hours_kept", reason=str(error))
