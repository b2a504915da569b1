"""Builds the packet-sensor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.context import ServiceContext
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.web import serving
from sakimori_packet_sensor.adapters.folder import CaptureFolder
from sakimori_packet_sensor.adapters.uploads import UploadFolder
from sakimori_packet_sensor.api.captures import CapturesApi
from sakimori_packet_sensor.domain.flows import FlowLimits
from sakimori_packet_sensor.handlers import CaptureIntake, watch
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.settings import SensorSettings


@asynccontextmanager
async def running(settings: SensorSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the packet-sensor: uploads, and the watched folder where there is one."""
    publisher = EventPublisher(context.bus, settings.service, PublisherMetrics(context.registry))
    limits = FlowLimits(settings.idle_seconds, settings.active_seconds, settings.max_flows)
    intake = CaptureIntake(publisher, SensorMetrics(context.registry), context.instance, limits)
    api = CapturesApi(
        intake,
        UploadFolder(settings.spool_dir / "tmp"),
        edge_token=settings.edge_token.get_secret_value(),
        max_bytes=settings.max_capture_bytes,
        log=context.log,
    )
    watching: asyncio.Task[None] | None = None
    try:
        async with serving(api.application(), settings.host, settings.port) as port:
            context.log.info("captures_opened", port=port)
            if settings.capture_dir is not None:
                inbox = CaptureFolder(settings.capture_dir, settings.spool_dir / "read.json")
                watching = context.background(watch(inbox, intake, context.log, settings.poll_seconds), "folder")
            yield
    finally:
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await watching
        await publisher.drain()
