"""From packets to published events: captures one by one, interfaces all the time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from sakimori_common.bus import BusUnavailable
from sakimori_common.bus.outbox import Outbox
from sakimori_common.contracts import Event, FieldValue
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.tally import Tally, tally_of
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.ports import CaptureInbox, EventSink, NotPrepared
from sakimori_packet_sensor.tracking import DeviceTracking

if TYPE_CHECKING:
    from sakimori_packet_sensor.reading import Reading

Origin = dict[str, FieldValue]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was in a capture; `events` were published, `cut` says where and why reading stopped early, if it did."""

    tally: Tally
    events: int
    cut: str | None


@dataclass(frozen=True, slots=True)
class CaptureReading:
    """How captures are read."""

    observer: str
    limits: FlowLimits
    decoded_ports: frozenset[int] | None = None


class CaptureIntake:
    """Read captures slice by slice in a thread and publish what they hold.

    While one slice is being confirmed the next is decoded; no further, so a slow bus slows the reading down.
    """

    def __init__(
        self,
        sink: EventSink,
        tracking: DeviceTracking,
        outbox: Outbox,
        metrics: SensorMetrics,
        reading: CaptureReading,
        *,
        prepared: Callable[[], Awaitable[None]],
    ) -> None:
        self._sink = sink
        self._tracking = tracking
        self._outbox = outbox
        self._metrics = metrics
        self._reading = reading
        self._prepared = prepared

    async def take(self, path: Path, origin: Origin, limit_bytes: int | None = None) -> Receipt:
        """Read a capture and publish its events; returns when all of them are safe.

        Raises CaptureError when it is no capture, and BusUnavailable or NotPrepared: take it again later, ids stay the
        same.
        """
        await self._prepared()
        reading = await asyncio.to_thread(self._open, path, origin, limit_bytes)
        try:
            events = await self._publish(reading)
        except CaptureError:
            self._metrics.captures_total.labels("refused").inc()
            raise
        tally = tally_of(reading.counts)
        self._metrics.add(tally)
        self._metrics.captures_total.labels("cut" if reading.cut else "read").inc()
        return Receipt(tally, events, reading.cut)

    def _open(self, path: Path, origin: Origin, limit_bytes: int | None) -> "Reading":
        from sakimori_packet_sensor.reading import Reading  # noqa: PLC0415  # loads the compiled part: not at every start

        how = self._reading
        whole = {"observer.name": how.observer, **origin}
        return Reading(path, whole, how.limits, how.decoded_ports, limit_bytes)

    async def _publish(self, reading: "Reading") -> int:
        pending: asyncio.Task[None] | None = None
        published = 0
        try:
            while (events := await asyncio.to_thread(reading.next)) is not None:
                if pending is not None:
                    await pending
                whole = self._tracking.observe(events)
                published += len(whole)
                pending = asyncio.create_task(self._confirm(whole))
            if pending is not None:
                await pending
        finally:
            if pending is not None:
                pending.cancel()
        return published

    async def _confirm(self, events: Sequence[Event]) -> None:
        """Publish; what was learnt of devices is not learnt again with the next try, so it must not get lost."""
        try:
            await self._sink.publish(events)
        except BusUnavailable:
            self._outbox.put([event for event in events if event.dataset == "network.device"])
            raise


class LiveIntake:
    """Takes what the capture workers send; never waits."""

    def __init__(self, tracking: DeviceTracking, outbox: Outbox) -> None:
        self._tracking = tracking
        self._outbox = outbox

    def take(self, events: Sequence[Event]) -> None:
        """See them to the bus, and devices among them."""
        self._outbox.put(self._tracking.observe(events))


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
    except (BusUnavailable, NotPrepared) as error:
        log.warning("capture_postponed", path=str(path), reason=str(error) or "the sensor is still being compiled")
        return False
    totals = receipt.tally.totals
    log.info(
        "capture_read",
        path=str(path),
        packets=totals["packets"],
        flows=totals["flows"],
        events=receipt.events,
        cut=receipt.cut,
    )
    return True
