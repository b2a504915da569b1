"""Builds the detector."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sakimori_common.bus import Queue, Subscription
from sakimori_common.context import ServiceContext
from sakimori_common.instants import now
from sakimori_common.metrics import ConsumerMetrics
from sakimori_detector.adapters.postgres import PostgresFindings
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.domain.indicators import Indicators
from sakimori_detector.handlers import EventsHandler
from sakimori_detector.metrics import DetectorMetrics
from sakimori_detector.rulebook import Rulebook
from sakimori_detector.settings import DetectorSettings

GROUP = 10
"""Messages handled at once: one transaction and one round of publishing for all of them."""


@asynccontextmanager
async def running(settings: DetectorSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the detector: rules loaded, events consumed until the exit, rules watched meanwhile."""
    metrics = DetectorMetrics(context.registry)
    rulebook = await asyncio.to_thread(Rulebook, settings.rules_dir, settings.time_zone, metrics, context.log)
    handler = EventsHandler(
        rulebook,
        state=ValkeyState(context.valkey),
        store=PostgresFindings(context.postgres),
        bus=context.bus,
        metrics=metrics,
        clock=now,
        allowed=Indicators(settings.allowed_networks),
        dry_run=settings.dry_run,
    )
    watching = context.background(rulebook.watch(), "rules")
    consumer = await context.bus.consume(
        Subscription(Queue.DETECT, handler, group=GROUP, prefetch=20), ConsumerMetrics(context.registry)
    )
    supervision = context.supervise(consumer)
    try:
        yield
    finally:
        supervision.cancel()
        await consumer.drain()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
