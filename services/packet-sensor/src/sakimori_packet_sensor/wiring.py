"""Builds the packet-sensor."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from sakimori_common.bus.outbox import Outbox
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.context import ServiceContext
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.web import serving
from sakimori_packet_sensor.adapters.folder import CaptureFolder
from sakimori_packet_sensor.adapters.knowledge import shipped_knowledge, shipped_rules
from sakimori_packet_sensor.adapters.link import Order
from sakimori_packet_sensor.adapters.postgres import PostgresDeviceStore
from sakimori_packet_sensor.adapters.preparation import Preparation
from sakimori_packet_sensor.adapters.relief import Relief
from sakimori_packet_sensor.adapters.uploads import UploadFolder
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.api.app import application
from sakimori_packet_sensor.api.captures import CapturesApi
from sakimori_packet_sensor.api.packets import PacketsApi
from sakimori_packet_sensor.api.recordings import RecordingsApi
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.model import ModelError
from sakimori_packet_sensor.domain.devices.registry import Devices
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.pressure import Pressure
from sakimori_packet_sensor.handlers import CaptureIntake, CaptureReading, LiveIntake, watch
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.recordings import Recordings
from sakimori_packet_sensor.settings import SensorSettings
from sakimori_packet_sensor.tracking import DeviceTracking
from sakimori_packet_sensor.workers import CaptureWorker, Workers

MEMORY_EVENTS = 50_000
"""Live events that wait in memory, some 40 MB."""
OUTLET_BYTES = 64 << 20
"""What a worker holds for a service that is busy, some 80,000 events; half of it makes it follow no new flows."""


@asynccontextmanager
async def running(settings: SensorSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the packet-sensor: uploads, the watched folder and the interfaces, where there are any.

    They stop the other way round: the workers report what is open, then events go to the bus or to disk, then what is
    new of devices is written.
    """
    metrics = SensorMetrics(context.registry)
    publisher = EventPublisher(context.bus, settings.service, PublisherMetrics(context.registry))
    devices = Devices(_knowledge(context), {"observer.name": context.instance})
    tracking = DeviceTracking(devices, PostgresDeviceStore(context.postgres), metrics, context.log)
    relief = _relief(settings, context, metrics)
    outbox = _outbox(settings, context, publisher, metrics, relief)
    ports = frozenset(settings.monitored_ports) or None
    limits = FlowLimits(settings.idle_seconds, settings.active_seconds, settings.max_flows)
    preparation = Preparation(context.log)
    reading = CaptureReading(context.instance, limits, ports)
    intake = CaptureIntake(publisher, tracking, outbox, metrics, reading, prepared=preparation.wait)
    await tracking.restore()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(publisher.drain)
        stack.push_async_callback(tracking.write)
        await stack.enter_async_context(outbox.running(context.background))
        await stack.enter_async_context(_task(context, tracking.run(outbox.put), "devices"))
        await stack.enter_async_context(_task(context, preparation.run(), "preparation"))
        await stack.enter_async_context(_workers(settings, context, LiveIntake(tracking, outbox), relief, metrics))
        recordings = await stack.enter_async_context(_recordings(settings, context))
        captures = CapturesApi(
            intake, UploadFolder(settings.spool_dir / "tmp"), max_bytes=settings.max_capture_bytes, log=context.log
        )
        app = application(
            captures,
            PacketsApi(_packet_folders(settings)),
            RecordingsApi(recordings, settings.interfaces),
            settings.edge_token,
        )
        port = await stack.enter_async_context(serving(app, settings.host, settings.port))
        context.log.info("captures_opened", port=port)
        if settings.capture_dir is not None:
            inbox = CaptureFolder(settings.capture_dir, settings.spool_dir / "read.json")
            watching = watch(inbox, intake, context.log, settings.poll_seconds)
            await stack.enter_async_context(_task(context, watching, "folder"))
        yield


def orders(settings: SensorSettings, observer: str) -> list[Order]:
    """Tell each worker what to do: so many an interface, which then share a fanout group."""
    found = []
    for place, interface in enumerate(settings.interfaces):
        group = (os.getpid() + place) & 0xFFFF if settings.workers > 1 else None
        for index in range(settings.workers):
            folder = _packets(settings) / f"{interface}-{index}"
            found.append(
                Order(
                    interface=interface,
                    observer=observer,
                    ring_bytes=settings.ring_bytes,
                    is_promiscuous=settings.promiscuous,
                    capture_filter=settings.capture_filter,
                    fanout=group,
                    max_flows=settings.max_flows,
                    idle_seconds=settings.idle_seconds,
                    active_seconds=settings.active_seconds,
                    decoded_ports=list(settings.monitored_ports) or None,
                    packets_dir=str(folder) if settings.packet_store_bytes else None,
                    packets_bytes=settings.packet_store_bytes,
                    outlet_bytes=OUTLET_BYTES,
                )
            )
    return found


def _knowledge(context: ServiceContext) -> Knowledge:
    """Read what is known of devices beforehand; a model that cannot be used is done without."""
    try:
        return shipped_knowledge()
    except ModelError as error:
        context.log.warning("device_model_unavailable", reason=str(error))
        return Knowledge(shipped_rules(), None, manufacturer)


def _packets(settings: SensorSettings) -> Path:
    return settings.spool_dir / "packets"


def _packet_folders(settings: SensorSettings) -> list[Path]:
    return [Path(order.packets_dir) for order in orders(settings, "") if order.packets_dir is not None]


def _relief(settings: SensorSettings, context: ServiceContext, metrics: SensorMetrics) -> Relief:
    return Relief(Pressure(low=settings.spool_bytes // 4, high=settings.spool_bytes // 2), metrics, context.log)


def _outbox(
    settings: SensorSettings,
    context: ServiceContext,
    publisher: EventPublisher,
    metrics: SensorMetrics,
    relief: Relief,
) -> Outbox:
    return Outbox(
        publisher=publisher,
        spool=Spool(settings.spool_dir / "events", settings.spool_bytes),
        memory_events=MEMORY_EVENTS,
        metrics=metrics.outbox,
        log=context.log,
        on_level=relief.weigh,
    )


@asynccontextmanager
async def _workers(
    settings: SensorSettings, context: ServiceContext, live: LiveIntake, relief: Relief, metrics: SensorMetrics
) -> AsyncIterator[None]:
    """Capture where an interface is named; readiness then depends on it."""
    given = orders(settings, context.instance)
    if not given:
        yield
        return
    for order in given:
        metrics.workers_wanted.labels(order.interface).inc()
    command = str(settings.capture_python) if settings.capture_python else None
    workers = Workers([CaptureWorker(order, live.take, metrics, context.log, command) for order in given])
    relief.on_pressure = workers.shed
    workers.shed(relief.is_pressed)
    context.health.add("capture", workers.check)
    async with workers.running(context.background):
        yield


@asynccontextmanager
async def _recordings(settings: SensorSettings, context: ServiceContext) -> AsyncIterator[Recordings]:
    command = str(settings.capture_python) if settings.capture_python else None
    recordings = Recordings(settings.spool_dir / "recordings", settings.recordings_bytes, context.log, command)
    try:
        yield recordings
    finally:
        await recordings.stop_all()


@asynccontextmanager
async def _task(context: ServiceContext, work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run work in the background until the block ends."""
    task = context.background(work, name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
