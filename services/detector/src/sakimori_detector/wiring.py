"""Builds the detector."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from sakimori_common.bus import Queue, Retry, Subscription
from sakimori_common.context import ServiceContext
from sakimori_common.instants import now
from sakimori_common.tasks import end_tasks
from sakimori_detector.adapters.feeds import AnyFeeds, FileFeeds, HttpFeeds, feed_client
from sakimori_detector.adapters.kept_feeds import FeedFolder
from sakimori_detector.adapters.models import model_in_use
from sakimori_detector.adapters.postgres import PostgresFindings
from sakimori_detector.adapters.suffixes import is_suffix
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.opinion.model import Model, ModelError
from sakimori_detector.handlers import EventsHandler
from sakimori_detector.metrics import DetectorMetrics, FeedMetrics
from sakimori_detector.rulebook import Rulebook
from sakimori_detector.settings import DetectorSettings
from sakimori_detector.sigma.windows import microseconds
from sakimori_detector.watchlist import Watchlist

JUDGE_SECONDS = 1.0
GROUP = 10
"""Messages handled at once: one transaction and one round of publishing for all of them."""


@asynccontextmanager
async def running(settings: DetectorSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the detector: rules and indicators loaded, events consumed until the exit, both watched meanwhile."""
    metrics, intelligence = DetectorMetrics(context.registry), Intelligence()
    rulebook = await asyncio.to_thread(_rulebook, settings, context, metrics, intelligence)
    handler = EventsHandler(
        rulebook,
        state=ValkeyState(context.valkey, microseconds(settings.lateness_seconds)),
        store=PostgresFindings(context.postgres),
        bus=context.bus,
        metrics=metrics,
        clock=now,
        dry_run=settings.dry_run,
    )
    async with feed_client() as client:
        watchlist = Watchlist(
            lambda: rulebook.feeds,
            intelligence,
            source=_source(settings, client),
            kept=FeedFolder(settings.feeds_dir),
            is_suffix=is_suffix,
            metrics=FeedMetrics(context.registry),
            log=context.log,
            clock=now,
            jitter=lambda: random.uniform(0.9, 1.1),  # noqa: S311 - spreads load, hides nothing
        )
        await watchlist.start()
        watching = [context.background(rulebook.watch(), "rules"), context.background(watchlist.watch(), "feeds")]
        watching.append(context.background(_judging(handler, context), "windows"))
        try:
            async with context.consuming(Subscription(Queue.DETECT, handler, group=GROUP, prefetch=20)):
                yield
        finally:
            await end_tasks(*watching)


async def _judging(handler: EventsHandler, context: ServiceContext) -> None:
    """Have windows judged as they end, for ever; while a server is away they wait."""
    while True:
        await asyncio.sleep(JUDGE_SECONDS)
        try:
            await handler.judge()
        except Retry as error:
            context.log.warning("windows_not_judged", why=str(error))


def _rulebook(
    settings: DetectorSettings, context: ServiceContext, metrics: DetectorMetrics, intelligence: Intelligence
) -> Rulebook:
    return Rulebook(
        settings.rules_dir,
        settings.time_zone,
        metrics,
        context.log,
        allowed=settings.allowed_networks,
        intelligence=intelligence,
        opinion=_opinion(settings, context, metrics),
    )


def _opinion(settings: DetectorSettings, context: ServiceContext, metrics: DetectorMetrics) -> Model | None:
    """Read the model; without one the rules work on, for they find most by themselves."""
    try:
        model = model_in_use(settings.opinion_file)
    except ModelError as error:
        context.log.warning("second_opinion_unavailable", why=str(error))
        return None
    context.log.info("second_opinion_loaded", version=model.version)
    metrics.second_opinion_loaded.set(1)
    return model


def _source(settings: DetectorSettings, client: httpx.AsyncClient) -> AnyFeeds:
    limit = settings.feed_max_bytes
    http = HttpFeeds(
        client, now, max_bytes=limit, total_seconds=settings.feed_timeout_seconds, secrets=settings.secrets_of_feeds
    )
    return AnyFeeds(http, FileFeeds(settings.rules_dir, now, max_bytes=limit))
