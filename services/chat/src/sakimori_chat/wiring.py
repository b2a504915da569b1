"""Builds the chat."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from sakimori_chat.adapters.bans import ValkeyBans
from sakimori_chat.adapters.checks import all_checks
from sakimori_chat.adapters.gate import ValkeyGate
from sakimori_chat.adapters.held import ValkeyHeld
from sakimori_chat.adapters.mutes import ValkeyMutes, ValkeyRisks
from sakimori_chat.adapters.reader import ValkeyReader
from sakimori_chat.adapters.reporting import MEMORY_EVENTS, OutboxReporter
from sakimori_chat.adapters.room_directory import PostgresRoomDirectory
from sakimori_chat.adapters.room_feed import ValkeyFeed
from sakimori_chat.adapters.room_registry import PostgresRoomRegistry
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.api.app import create_app
from sakimori_chat.api.cookies import Cookies
from sakimori_chat.api.debug import Debugging
from sakimori_chat.api.shedding import POST_BURST_SECONDS, Shedding
from sakimori_chat.api.visit import Chat
from sakimori_chat.bots.wiring import Surroundings, bots_of
from sakimori_chat.domain.aggregation import Aggregator
from sakimori_chat.domain.checks import Check
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
from sakimori_common.bus.outbox import Outbox
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.context import ServiceContext
from sakimori_common.fast_http import Patience, patient
from sakimori_common.live_socket import live_sockets
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.shedding import Shedder
from sakimori_common.web import AccessLogged, serving

ENFORCE_GROUP = 20
MAX_SOCKET_FRAME_BYTES = 64 * 1024
"""Of any WebSocket's messages; each endpoint then sets its own bound."""


@asynccontextmanager
async def running(settings: ChatSettings, context: ServiceContext) -> AsyncIterator[None]:
    """Serve the chat and enforce decisions until the block ends; then finish requests, then empty the outbox."""
    metrics = ChatMetrics(context.registry)
    publisher = EventPublisher(context.bus, context.service, PublisherMetrics(context.registry))
    reporter = _reporter(settings, context, publisher, metrics)
    stores, checks = _stores(settings, context), all_checks()
    hub = _hub(context, stores, metrics)
    chat = _chat(settings, stores, checks, reporter=reporter, hub=hub, metrics=metrics)
    bots = bots_of(
        settings,
        context,
        Surroundings(stores.rooms, stores.held, stores.directory, checks, reporter=reporter, news=hub),
    )
    debugging = _debugging(settings, context, stores)
    app = create_app(chat, also=bots.routes, also_inner=bots.inner_routes, debugging=debugging)
    door = _door(settings, context, app, chat)
    enforcing = enforce_decisions(stores.gate, metrics, context.log, settings.never_block)
    try:
        async with (
            context.consuming(Subscription(Queue.ENFORCE, enforcing, group=ENFORCE_GROUP)),
            stores.directory.running(context.background),
            bots.registry.running(context.background),
            reporter.running(context.background),
            door.running(context.background),
            _serving(settings, door) as port,
            hub.running(context.background),
            bots.sessions.running(context.background),
            bots.listener.running(),
        ):
            context.log.info("chat_opened", port=port)
            yield
    finally:
        await publisher.drain()


@dataclass(frozen=True, slots=True)
class _Stores:
    """Where the chat keeps things."""

    gate: ValkeyGate
    rooms: ValkeyRooms
    reader: ValkeyReader
    held: ValkeyHeld
    mutes: ValkeyMutes
    bans: ValkeyBans
    directory: PostgresRoomDirectory
    registry: PostgresRoomRegistry


def _stores(settings: ChatSettings, context: ServiceContext) -> _Stores:
    valkey, postgres = context.valkey, context.postgres
    return _Stores(
        gate=ValkeyGate(valkey, _limits(settings), settings.never_block),
        rooms=ValkeyRooms(valkey),
        reader=ValkeyReader(valkey),
        held=ValkeyHeld(valkey),
        mutes=ValkeyMutes(valkey),
        bans=ValkeyBans(valkey),
        directory=PostgresRoomDirectory(postgres, context.log),
        registry=PostgresRoomRegistry(postgres),
    )


def _reporter(
    settings: ChatSettings, context: ServiceContext, publisher: EventPublisher, metrics: ChatMetrics
) -> OutboxReporter:
    outbox = Outbox(
        publisher=publisher,
        spool=Spool(settings.spool_dir, settings.spool_bytes),
        memory_events=MEMORY_EVENTS,
        metrics=metrics.outbox,
        log=context.log,
    )
    return OutboxReporter(
        outbox=outbox,
        aggregator=Aggregator(settings.events_per_second),
        log=context.log,
        streams=context.streams,
        observer=context.instance,
    )


def _hub(context: ServiceContext, stores: _Stores, metrics: ChatMetrics) -> Hub:
    return Hub(
        rooms=stores.rooms,
        directory=stores.directory,
        feed=ValkeyFeed(context.valkey, context.log),
        metrics=metrics,
        log=context.log,
    )


def _chat(
    settings: ChatSettings,
    stores: _Stores,
    checks: Sequence[Check],
    *,
    reporter: OutboxReporter,
    hub: Hub,
    metrics: ChatMetrics,
) -> Chat:
    """Put together what the routes work with."""
    return Chat(
        gate=stores.gate,
        rooms=stores.rooms,
        reader=stores.reader,
        directory=stores.directory,
        intake=_intake(settings, stores, checks, reporter, metrics),
        moderation=_moderation(stores, checks, reporter),
        reporter=reporter,
        cookies=_cookies(settings),
        hasher=Hasher(settings.secret_key.get_secret_value()),
        metrics=metrics,
        hub=hub,
        seats=Seats(settings.live_connections, settings.live_connections_per_address),
        door=Shedder(settings.posts_per_second, POST_BURST_SECONDS),
        live_frames_per_second=settings.live_frames_per_second,
        edge_token=settings.edge_token.get_secret_value(),
        origins=frozenset(settings.origins),
    )


def _intake(
    settings: ChatSettings, stores: _Stores, checks: Sequence[Check], reporter: OutboxReporter, metrics: ChatMetrics
) -> Intake:
    return Intake(
        gate=stores.gate,
        rooms=stores.rooms,
        held=stores.held,
        checks=checks,
        reporter=reporter,
        metrics=metrics,
        reports_text=settings.events_with_text,
    )


def _moderation(stores: _Stores, checks: Sequence[Check], reporter: OutboxReporter) -> Moderation:
    return Moderation(
        registry=stores.registry,
        rooms=stores.rooms,
        held=stores.held,
        mutes=stores.mutes,
        bans=stores.bans,
        checks=checks,
        reporter=reporter,
    )


def _debugging(settings: ChatSettings, context: ServiceContext, stores: _Stores) -> Debugging | None:
    """Build the debug API where DEBUG_MODE=1."""
    if not settings.debug_mode:
        return None
    context.log.warning("debug_api_open", advice="set DEBUG_MODE=0 where others than you come")
    return Debugging(settings.debug_admin_token.get_secret_value(), ValkeyRisks(context.valkey), stores.mutes)


def _door(settings: ChatSettings, context: ServiceContext, app: ASGIApp, chat: Chat) -> Shedding:
    """Put in front of the application what keeps those out who ask for too much."""
    return Shedding(
        AccessLogged(app, context.streams, chat.edge_token),
        requests_per_second=settings.requests_per_second,
        posts=chat.door,
        edge_token=chat.edge_token,
        hasher=chat.hasher,
        reporter=chat.reporter,
        metrics=chat.metrics,
    )


def _serving(settings: ChatSettings, door: Shedding) -> AbstractAsyncContextManager[int]:
    """Open the port; yields its number."""
    return serving(
        door,
        settings.host,
        settings.port,
        protocol=patient(Patience(on_slow=door.report_slow), door.refusal_of),
        websockets=live_sockets(
            max_frame_bytes=MAX_SOCKET_FRAME_BYTES,
            max_waiting_bytes=settings.live_buffer_bytes,
            ping_seconds=settings.live_ping_seconds,
        ),
    )


def _limits(settings: ChatSettings) -> Limits:
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


def _cookies(settings: ChatSettings) -> Cookies:
    return Cookies(
        settings.secret_key.get_secret_value(),
        secure=settings.cookie_secure,
        same_site=settings.cookie_same_site,
        previous_keys=split_keys(settings.previous_secret_keys),
    )
