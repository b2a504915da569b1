"""Builds the chat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sakimori_chat.adapters.checks import all_checks
from sakimori_chat.adapters.gate import ValkeyGate
from sakimori_chat.adapters.held import ValkeyHeld
from sakimori_chat.adapters.mutes import ValkeyMutes, ValkeyRisks
from sakimori_chat.adapters.outbox import Outbox
from sakimori_chat.adapters.room_directory import PostgresRoomDirectory
from sakimori_chat.adapters.room_feed import ValkeyFeed
from sakimori_chat.adapters.room_registry import PostgresRoomRegistry
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.api.app import create_app
from sakimori_chat.api.cookies import Cookies
from sakimori_chat.api.debug import Debugging
from sakimori_chat.api.shedding import Shedding
from sakimori_chat.api.visit import Chat
from sakimori_chat.bots.wiring import bots_of
from sakimori_chat.domain.aggregation import Aggregator
from sakimori_chat.domain.identity import Hasher
from sakimori_chat.domain.limits import Limits
from sakimori_chat.domain.seats import Seats
from sakimori_chat.handlers import enforce_decisions
from sakimori_chat.hub import Hub
from sakimori_chat.intake import Intake
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.moderation import Moderation
from sakimori_chat.settings import ChatSettings, split_keys
from sakimori_common.bus import Queue, Subscription
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.context import ServiceContext
from sakimori_common.fast_http import Patience, patient
from sakimori_common.live_socket import live_sockets
from sakimori_common.metrics import ConsumerMetrics, PublisherMetrics
from sakimori_common.web import AccessLogged, serving

ENFORCE_GROUP = 20
MAX_SOCKET_FRAME_BYTES = 64 * 1024
"""Of any WebSocket's messages; each endpoint then sets its own bound."""


@asynccontextmanager
async def running(settings: ChatSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Serve the chat and enforce decisions until the block ends; then finish requests, then empty the outbox."""
    metrics = ChatMetrics(context.registry)
    publisher = EventPublisher(context.bus, context.service, PublisherMetrics(context.registry))
    outbox = Outbox(
        publisher=publisher,
        spool=Spool(settings.spool_dir, settings.spool_bytes),
        aggregator=Aggregator(settings.events_per_second),
        metrics=metrics,
        log=context.log,
        streams=context.streams,
        observer=context.instance,
    )
    gate = ValkeyGate(context.valkey, limits_of(settings), settings.never_block)
    rooms = ValkeyRooms(context.valkey)
    held = ValkeyHeld(context.valkey)
    directory = PostgresRoomDirectory(context.postgres, context.log)
    hub = Hub(
        rooms=rooms,
        directory=directory,
        feed=ValkeyFeed(context.valkey, context.log),
        metrics=metrics,
        log=context.log,
    )
    chat = Chat(
        gate=gate,
        rooms=rooms,
        directory=directory,
        intake=Intake(
            gate=gate,
            rooms=rooms,
            held=held,
            checks=all_checks(),
            reporter=outbox,
            metrics=metrics,
            reports_text=settings.events_with_text,
        ),
        moderation=Moderation(
            registry=PostgresRoomRegistry(context.postgres),
            rooms=rooms,
            held=held,
            mutes=ValkeyMutes(context.valkey),
            reporter=outbox,
        ),
        reporter=outbox,
        cookies=cookies_of(settings),
        hasher=Hasher(settings.secret_key.get_secret_value()),
        metrics=metrics,
        hub=hub,
        seats=Seats(settings.live_connections, settings.live_connections_per_address),
        live_frames_per_second=settings.live_frames_per_second,
        edge_token=settings.edge_token.get_secret_value(),
        origins=frozenset(settings.origins),
    )
    bots = bots_of(settings, context, rooms=rooms, directory=directory, reporter=outbox, news=hub)
    consumer = await context.bus.consume(
        Subscription(
            Queue.ENFORCE,
            enforce_decisions(gate, metrics, context.log, settings.never_block),
            group=ENFORCE_GROUP,
        ),
        ConsumerMetrics(context.registry),
    )
    supervision = context.supervise(consumer)
    shedding = Shedding(
        AccessLogged(
            create_app(
                chat,
                also=bots.routes,
                also_inner=bots.inner_routes,
                debugging=debugging_of(settings, context),
            ),
            context.streams,
            chat.edge_token,
        ),
        requests_per_second=settings.requests_per_second,
        posts_per_second=settings.posts_per_second,
        edge_token=chat.edge_token,
        hasher=chat.hasher,
        reporter=outbox,
        metrics=metrics,
    )
    try:
        async with (
            directory.running(context.background),
            bots.registry.running(context.background),
            outbox.running(context.background),
            shedding.running(context.background),
            serving(
                shedding,
                settings.host,
                settings.port,
                protocol=patient(Patience(on_slow=shedding.report_slow), shedding.refusal_of),
                websockets=live_sockets(
                    max_frame_bytes=MAX_SOCKET_FRAME_BYTES,
                    max_waiting_bytes=settings.live_buffer_bytes,
                    ping_seconds=settings.live_ping_seconds,
                ),
            ) as port,
            hub.running(context.background),
            bots.sessions.running(context.background),
            bots.listener.running(),
        ):
            context.log.info("chat_opened", port=port)
            yield
    finally:
        supervision.cancel()
        await consumer.drain()
        await publisher.drain()


def debugging_of(settings: ChatSettings, context: ServiceContext) -> Debugging | None:
    """Build the debug API where DEBUG_MODE=1."""
    if not settings.debug_mode:
        return None
    context.log.warning("debug_api_open", advice="set DEBUG_MODE=0 where others than you come")
    token = settings.debug_admin_token.get_secret_value()
    return Debugging(token, ValkeyRisks(context.valkey), ValkeyMutes(context.valkey))


def limits_of(settings: ChatSettings) -> Limits:
    """Collect the limits from the settings."""
    return Limits(
        posts=settings.post_limit,
        window_seconds=settings.post_window_seconds,
        ban_ladder_seconds=settings.ban_ladder_seconds,
        ban_memory_seconds=settings.ban_memory_seconds,
        fingerprint_posts=settings.fingerprint_post_limit,
        address_posts=settings.address_post_limit,
        throttled_posts=settings.throttled_post_limit,
        new_identities=settings.new_identity_limit,
        new_identity_window_seconds=settings.new_identity_window_seconds,
        risk=settings.risk_limit,
    )


def cookies_of(settings: ChatSettings) -> Cookies:
    """Build the cookies from the settings."""
    return Cookies(
        settings.secret_key.get_secret_value(),
        secure=settings.cookie_secure,
        same_site=settings.cookie_same_site,
        previous_keys=split_keys(settings.previous_secret_keys),
    )
