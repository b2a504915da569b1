"""Builds the collector."""

import asyncio
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from sakimori_collector.adapters.checkpoints import PostgresCheckpoints
from sakimori_collector.adapters.event_store import PostgresEventStore
from sakimori_collector.adapters.file_tail import FileTail
from sakimori_collector.adapters.quarantine import PostgresRejectedLines
from sakimori_collector.api.ingest import IngestApi
from sakimori_collector.handlers import StoreHandler
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import EventStore
from sakimori_collector.settings import CollectorSettings, parse_files
from sakimori_common.bus import Queue, Subscription, Unavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.context import ServiceContext
from sakimori_common.metrics import ConsumerMetrics, PublisherMetrics
from sakimori_common.web import AccessLogged, serving

STORE_GROUP = 25
"""Batches a transaction, some 5,000 rows: beyond, COPY gains little and a redelivery costs more."""
STORE_PREFETCH = 40
STORE_LINGER_SECONDS = 0.02
_RETENTION_SECONDS = 3600.0


@asynccontextmanager
async def running(settings: CollectorSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the collector: its inputs, its store worker, its retention."""
    metrics = CollectorMetrics(context.registry)
    publisher = EventPublisher(context.bus, settings.service, PublisherMetrics(context.registry))
    store = PostgresEventStore(context.postgres)
    rejected = PostgresRejectedLines(context.postgres)
    api = IngestApi(
        settings=settings,
        publisher=publisher,
        rejected=rejected,
        metrics=metrics,
        log=context.log,
        instance=context.instance,
    )
    consumer = await context.bus.consume(
        Subscription(
            Queue.STORE,
            StoreHandler(store, metrics),
            group=STORE_GROUP,
            linger_seconds=STORE_LINGER_SECONDS,
            prefetch=STORE_PREFETCH,
        ),
        ConsumerMetrics(context.registry),
    )
    work = [
        context.supervise(consumer),
        context.background(expire(store, settings.retention_days, context.log), "expiry"),
    ]
    try:
        app = AccessLogged(api.application(), context.streams, settings.edge_token.get_secret_value())
        async with serving(app, settings.host, settings.port) as port:
            context.log.info("ingest_opened", port=port)
            work += _follow(settings, context, publisher, metrics)
            yield
            await _cancel(work)
        await publisher.drain()
    finally:
        await _cancel(work)
        await consumer.drain()


def _follow(
    settings: CollectorSettings, context: ServiceContext, publisher: EventPublisher, metrics: CollectorMetrics
) -> list["asyncio.Task[None]"]:
    files = parse_files(settings.files)
    if not files:
        return []
    tail = FileTail(
        files,
        publisher,
        PostgresCheckpoints(context.postgres),
        metrics,
        context.log,
        instance=context.instance,
        zone=zoneinfo.ZoneInfo(settings.timezone),
    )
    return [context.background(tail.run(), "files")]


async def expire(store: EventStore, retention_days: int, log: structlog.stdlib.BoundLogger) -> None:
    """Delete what is too old, once an hour."""
    while True:
        try:
            deleted = await store.expire(retention_days)
            if deleted:
                log.info("events_expired", deleted=deleted, retention_days=retention_days)
        except Unavailable as error:
            log.warning("expiry_postponed", reason=str(error))
        await asyncio.sleep(_RETENTION_SECONDS)


async def _cancel(work: list["asyncio.Task[None]"]) -> None:
    for task in work:
        task.cancel()
    for task in work:
        with suppress(asyncio.CancelledError, Exception):
            await task
