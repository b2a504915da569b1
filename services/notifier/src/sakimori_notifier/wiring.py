"""Builds the notifier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from sakimori_common.bus import Queue, Subscription
from sakimori_common.context import ServiceContext
from sakimori_common.tasks import end_tasks
from sakimori_notifier.adapters.console import ConsoleChannel
from sakimori_notifier.adapters.http import discord, http_client, slack, webhook
from sakimori_notifier.adapters.mail import MailChannel
from sakimori_notifier.adapters.postgres import PostgresOutbox
from sakimori_notifier.courier import Courier
from sakimori_notifier.domain.routing import CHANNELS, parse_routes
from sakimori_notifier.handlers import FindingsHandler
from sakimori_notifier.metrics import NotifierMetrics
from sakimori_notifier.ports import Channel
from sakimori_notifier.settings import NotifierSettings


@asynccontextmanager
async def running(settings: NotifierSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Run the notifier: take findings into the outbox, carry what is due."""
    metrics = NotifierMetrics(context.registry)
    async with http_client() as client:
        channels = open_channels(settings, client)
        names = [channel.name for channel in channels]
        context.log.info("channels_opened", on=names, off=[name for name in CHANNELS if name not in names])
        outbox = PostgresOutbox(context.postgres)
        courier = Courier(
            outbox,
            channels,
            context.bus,
            attempts=settings.attempts,
            retry_seconds=settings.retry_seconds,
            metrics=metrics,
            log=context.log,
        )
        handler = FindingsHandler(
            outbox,
            parse_routes(settings.routes),
            names,
            suppress_seconds=settings.suppress_seconds,
            metrics=metrics,
            wake_courier=courier.wake,
            streams=context.streams,
        )
        carrying = context.background(courier.run(), "courier")
        try:
            async with context.consuming(Subscription(Queue.NOTIFY, handler)):
                yield
        finally:
            await end_tasks(carrying)


def open_channels(settings: NotifierSettings, client: httpx.AsyncClient) -> list[Channel]:
    """Open the channels that are configured; the console always is."""
    channels: list[Channel] = [ConsoleChannel(settings.language)]
    recipients = [address.strip() for address in settings.alert_email.split(",") if address.strip()]
    if settings.smtp_url and recipients:
        channels.append(
            MailChannel(settings.smtp_url.get_secret_value(), settings.email_from, recipients, settings.language)
        )
    if settings.slack_webhook_url:
        channels.append(slack(settings.slack_webhook_url.get_secret_value(), settings.language, client))
    if settings.discord_webhook_url:
        channels.append(discord(settings.discord_webhook_url.get_secret_value(), settings.language, client))
    if settings.webhook_url:
        token = settings.webhook_token.get_secret_value() if settings.webhook_token else None
        channels.append(webhook(settings.webhook_url.get_secret_value(), token, client))
    return channels
