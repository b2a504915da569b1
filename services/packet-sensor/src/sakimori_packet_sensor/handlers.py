"""From a capture to published events."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from sakimori_common.bus import BusUnavailable
from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.events import Origin
from sakimori_packet_sensor.domain.flows import FlowLimits
from sakimori_packet_sensor.domain.sensor import Counts, Sensor
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.ports import CaptureInbox, EventSink


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was in a capture; `cut` says where and why reading stopped early, if it did."""

    counts: Counts
    cut: str | None


class CaptureIntake:
    """Read captures slice by slice in a thread and publish what they hold.

    While one slice is being confirmed the next is decoded; no further, so a slow bus slows the reading down.
    """

    def __init__(self, sink: EventSink, metrics: SensorMetrics, observer: str, limits: FlowLimits) -> None:
        self._sink = sink
        self._metrics = metrics
        self._observer = observer
        self._limits = limits

    async def take(self, path: Path, origin: Origin, limit_bytes: int | None = None) -> Receipt:
        """Read a capture and publish its events; returns when all of them are safe.

        Raises CaptureError when it is no capture, and BusUnavailable: take it again later, ids stay the same.
        """
        sensor = Sensor({"observer.name": self._observer, **origin}, self._limits)
        reading = _Reading(path, sensor, limit_bytes)
        try:
            await self._publish(reading)
        except CaptureError:
            self._metrics.captures_total.labels("refused").inc()
            raise
        self._metrics.add(sensor.counts)
        self._metrics.captures_total.labels("cut" if reading.cut else "read").inc()
        return Receipt(sensor.counts, reading.cut)

    async def _publish(self, reading: "_Reading") -> None:
        pending: asyncio.Task[None] | None = None
        try:
            while (events := await asyncio.to_thread(reading.next)) is not None:
                if pending is not None:
                    await pending
                pending = asyncio.create_task(self._sink.publish(events))
            if pending is not None:
                await pending
        finally:
            if pending is not None:
                pending.cancel()


class _Reading:
    """A capture on its way through a sensor, one slice a call. Closes the file when it is done or dropped."""

    def __init__(self, path: Path, sensor: Sensor, limit_bytes: int | None) -> None:
        self.cut: str | None = None
        self._slices = self._read(path, sensor, limit_bytes)

    def _read(self, path: Path, sensor: Sensor, limit_bytes: int | None) -> Iterator[list[Event]]:
        with open_capture(path, limit_bytes=limit_bytes) as capture:
            yield from sensor.events(capture)
            self.cut = capture.cut

    def next(self) -> list[Event] | None:
        """Read on; None at the end."""
        return next(self._slices, None)


async def watch(
    inbox: CaptureInbox, intake: CaptureIntake, log: structlog.stdlib.BoundLogger, poll_seconds: float
) -> None:
    """Take every capture that appears, for ever. While the bus is away the captures wait where they are."""
    while True:
        for path in await asyncio.to_thread(inbox.finished):
            if not await _taken(path, intake, log):
                break
            await asyncio.to_thread(inbox.remember, path)
        await asyncio.sleep(poll_seconds)


async def _taken(path: Path, intake: CaptureIntake, log: structlog.stdlib.BoundLogger) -> bool:
    """Take one capture; False when it must be taken again."""
    try:
        receipt = await intake.take(path, {"log.file.path": str(path)})
    except CaptureError as error:
        log.warning("capture_refused", path=str(path), reason=str(error))
        return True
    except BusUnavailable as error:
        log.warning("capture_postponed", path=str(path), reason=str(error))
        return False
    counts = receipt.counts
    log.info(
        "capture_read",
        path=str(path),
        packets=counts.packets,
        flows=counts.flows,
        events=counts.events.total(),
        cut=receipt.cut,
    )
    return True
