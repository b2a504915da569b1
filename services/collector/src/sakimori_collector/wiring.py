"""Builds the collector."""

import asyncio
import zoneinfo
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from sakimori_collector.adapters.checkpoints import PostgresCheckpoints
from sakimori_collector.adapters.claims import PostgresClaims
from sakimori_collector.adapters.device_view import PostgresDeviceView
from sakimori_collector.adapters.dns_names import ValkeyDnsNames
from sakimori_collector.adapters.event_store import PostgresEventStore
from sakimori_collector.adapters.line_spool import spool_of_events, spool_of_rejected
from sakimori_collector.adapters.posters import PostgresPosters
from sakimori_collector.adapters.quarantine import PostgresQuarantine
from sakimori_collector.adapters.sealing import Sealer
from sakimori_collector.adapters.source_activity import PostgresSourceActivity
from sakimori_collector.adapters.store_upkeep import PostgresUpkeep
from sakimori_collector.api.port import HttpPort, Routed
from sakimori_collector.api.quarantine import QuarantineApi
from sakimori_collector.api.reception import Reception
from sakimori_collector.domain.privacy import mask_text
from sakimori_collector.domain.retention import parse_retention
from sakimori_collector.handlers import StoreHandler
from sakimori_collector.inputs.elasticsearch_bulk import ElasticsearchBulk
from sakimori_collector.inputs.file_reception import FileDesk
from sakimori_collector.inputs.files import FileInput
from sakimori_collector.inputs.http import HttpInput
from sakimori_collector.inputs.journal_upload import JournalUpload
from sakimori_collector.inputs.journald import JournalInput
from sakimori_collector.inputs.network import network_inputs
from sakimori_collector.inputs.splunk_hec import SplunkHec
from sakimori_collector.intake import Intake, Spools
from sakimori_collector.inventory import Inventory
from sakimori_collector.knowledge import Knowledge
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Input
from sakimori_collector.replay import Replayer
from sakimori_collector.settings import CollectorSettings, parse_files
from sakimori_collector.treatment import treatment_of
from sakimori_collector.upkeep import keep_going, keep_tidy
from sakimori_common.bus import Queue, Subscription, Unavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.context import ServiceContext
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.tasks import end_tasks

STORE_GROUP = 25
"""Batches a transaction, some 5,000 rows: beyond, COPY gains little and a redelivery costs more."""
STORE_PREFETCH = 40
STORE_LINGER_SECONDS = 0.02
_BOUND_SECONDS = 60.0


@asynccontextmanager
async def running(settings: CollectorSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the collector: its inputs, its store worker, its retention."""
    metrics = CollectorMetrics(context.registry)
    publisher = EventPublisher(context.bus, settings.service, PublisherMetrics(context.registry))
    store = PostgresEventStore(context.postgres)
    quarantine = PostgresQuarantine(context.postgres, Sealer(settings.privacy_key))
    knowledge = Knowledge(settings, PostgresDeviceView(context.postgres), ValkeyDnsNames(context.valkey), context.log)
    treatment = treatment_of(settings, knowledge.enrichment.change)
    intake = Intake(publisher, quarantine, metrics, treatment, spools=_spools(settings), log=context.log)
    looked_at = QuarantineApi(
        quarantine,
        Replayer(quarantine, publisher, metrics, treatment),
        mask_text,
        settings.edge_token.get_secret_value(),
    )
    handler = StoreHandler(store, metrics, knowledge.learn)
    async with context.consuming(
        Subscription(
            Queue.STORE, handler, group=STORE_GROUP, linger_seconds=STORE_LINGER_SECONDS, prefetch=STORE_PREFETCH
        )
    ):
        await knowledge.refresh()
        work = [
            context.background(knowledge.keep_fresh(), "knowledge"),
            *_upkeep(settings, context),
            context.background(_inventory(settings, context, publisher, metrics).run(), "inventory"),
            context.background(keep_bounded(quarantine, settings.quarantine_max_bytes, context.log), "quarantine"),
        ]
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(intake.draining(context.background))
                for way_in in _inputs(settings, context, intake, metrics, [looked_at]):
                    await stack.enter_async_context(way_in.running())
                yield
                await end_tasks(*work)
            await publisher.drain()
        finally:
            await end_tasks(*work)


def _inventory(
    settings: CollectorSettings, context: ServiceContext, publisher: EventPublisher, metrics: CollectorMetrics
) -> Inventory:
    return Inventory(
        activity=PostgresSourceActivity(context.postgres),
        publisher=publisher,
        metrics=metrics,
        log=context.log,
        observer=context.instance,
        silent_after_minutes=settings.silent_after_minutes,
    )


def _upkeep(settings: CollectorSettings, context: ServiceContext) -> list["asyncio.Task[None]"]:
    upkeep = PostgresUpkeep(context.postgres)
    retention = parse_retention(settings.retention, settings.retention_days)
    return [
        context.background(keep_going(upkeep, context.log), "store-days"),
        context.background(keep_tidy(upkeep, retention, settings.retention_days, context.log), "store-retention"),
    ]


def _inputs(
    settings: CollectorSettings,
    context: ServiceContext,
    intake: Intake,
    metrics: CollectorMetrics,
    also_routed: Sequence[Routed],
) -> list[Input]:
    """Every way in that the settings ask for, in the order in which they are opened."""
    return [
        *network_inputs(settings, context, intake, metrics),
        *_local(settings, context, intake, metrics),
        _http(settings, context, intake, metrics, also_routed),
    ]


def _http(
    settings: CollectorSettings,
    context: ServiceContext,
    intake: Intake,
    metrics: CollectorMetrics,
    also_routed: Sequence[Routed],
) -> HttpPort:
    posters = PostgresPosters(context.postgres, settings.ingest_token.get_secret_value(), context.log)
    reception = Reception(
        settings=settings,
        posters=posters,
        intake=intake,
        metrics=metrics,
        log=context.log,
        instance=context.instance,
    )
    ways_in: list[Routed] = [
        HttpInput(reception),
        SplunkHec(reception),
        ElasticsearchBulk(reception),
        JournalUpload(reception),
        *also_routed,
    ]
    return HttpPort(settings, posters, ways_in, context.streams, context.log)


def _spools(settings: CollectorSettings) -> Spools:
    sealer = Sealer(settings.privacy_key, "spool")
    limit, folder = settings.spool_bytes, settings.spool_dir
    return Spools(
        spool_of_events(folder / "events", limit),
        spool_of_rejected(folder / "rejected", limit // 4, sealer.seal, sealer.unseal),
    )


def _local(
    settings: CollectorSettings, context: ServiceContext, intake: Intake, metrics: CollectorMetrics
) -> list[Input]:
    """What is read from this machine: files and the journal."""
    desk = FileDesk(
        intake,
        PostgresCheckpoints(context.postgres, settings.node),
        metrics,
        context.log,
        context.instance,
        zoneinfo.ZoneInfo(settings.timezone),
    )
    inputs: list[Input] = []
    files = parse_files(settings.files)
    if files:
        claims = PostgresClaims(context.postgres, settings.node)
        inputs.append(FileInput(files, settings.multiline, desk, claims, context.background))
    if settings.journal:
        claims = PostgresClaims(context.postgres, settings.node)
        inputs.append(JournalInput(settings.journal, desk, claims, context.background))
    return inputs


async def keep_bounded(quarantine: PostgresQuarantine, max_bytes: int, log: structlog.stdlib.BoundLogger) -> None:
    """Encrypt what older versions kept, then delete what is too much, once a minute."""
    is_sealed = False
    while True:
        try:
            if not is_sealed:
                await quarantine.seal_all()
                is_sealed = True
            deleted = await quarantine.bound(max_bytes)
            if deleted:
                log.warning("rejected_lines_deleted", deleted=deleted, max_bytes=max_bytes)
        except Unavailable as error:
            log.warning("quarantine_not_bounded", reason=str(error))
        await asyncio.sleep(_BOUND_SECONDS)
