"""The parts of the packet-sensor's service as unit tests put them together, without servers."""

from collections.abc import Sequence
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.bus.outbox import Outbox
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.contracts import Event
from sakimori_common.metrics import PublisherMetrics
from sakimori_packet_sensor.adapters.knowledge import shipped_rules
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.record import DeviceRecord
from sakimori_packet_sensor.domain.devices.registry import Devices
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.handlers import CaptureIntake, CaptureReading
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.tracking import DeviceTracking

SPOOL_BYTES = 1 << 20


class KeepingSink:
    """Keeps what is published; is away when told so."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_away = False

    async def publish(self, events: Sequence[Event]) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        self.events.extend(events)


class KeepingDeviceStore:
    """A DeviceStore in memory; is away when told so, and refuses the devices it is told to."""

    def __init__(self) -> None:
        self.records: dict[str, DeviceRecord] = {}
        self.refused: set[str] = set()
        self.is_away = False
        self.expired: list[int] = []

    async def load(self, most: int) -> list[DeviceRecord]:
        self._check()
        return sorted(self.records.values(), key=lambda record: record.last_seen)[-most:]

    async def save(self, records: Sequence[DeviceRecord]) -> list[str]:
        self._check()
        self.records |= {record.mac: record for record in records if record.mac not in self.refused}
        return [record.mac for record in records if record.mac in self.refused]

    async def expire(self, days: int) -> None:
        self._check()
        self.expired.append(days)

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("away")


class Parts:
    """Intake, tracking and outbox over a sink and a store that keep what they get."""

    def __init__(self, folder: Path) -> None:
        self.sink = KeepingSink()
        self.store = KeepingDeviceStore()
        self.registry = CollectorRegistry()
        self.metrics = SensorMetrics(self.registry)
        log = structlog.get_logger()
        devices = Devices(Knowledge(shipped_rules(), None, manufacturer), {"observer.name": "tap-1"})
        self.tracking = DeviceTracking(devices, self.store, self.metrics, log)
        self.outbox = Outbox(
            publisher=EventPublisher(MemoryBus(), "packet-sensor", PublisherMetrics(self.registry)),
            spool=Spool(folder / "events", SPOOL_BYTES),
            memory_events=1000,
            metrics=self.metrics.outbox,
            log=log,
        )
        reading = CaptureReading("tap-1", FlowLimits())
        self.intake = CaptureIntake(
            self.sink, self.tracking, self.outbox, self.metrics, reading, prepared=self.prepared
        )

    async def prepared(self) -> None:
        """Wait for nothing: the tests' first capture compiles."""

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)
