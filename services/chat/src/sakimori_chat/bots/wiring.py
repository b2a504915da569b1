"""Builds what bots need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from starlette.routing import BaseRoute

from sakimori_chat.bots.adapters.claims import ValkeySessionClaims
from sakimori_chat.bots.adapters.gate import ValkeyBotGate
from sakimori_chat.bots.adapters.heartbeats import PostgresHeartbeats
from sakimori_chat.bots.adapters.registry import PostgresBotRegistry
from sakimori_chat.bots.adapters.sealing import Sealer
from sakimori_chat.bots.api.live import bot_live_routes
from sakimori_chat.bots.api.moderation import bot_moderation_routes
from sakimori_chat.bots.api.routes import Bots, bot_routes
from sakimori_chat.bots.domain.forgeries import Forgeries
from sakimori_chat.bots.domain.limits import BotLimits
from sakimori_chat.bots.inputs.listener import BotListener
from sakimori_chat.bots.intake import BotDoor
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.office import BotOffice, OfficeRules
from sakimori_chat.bots.screening import Screening
from sakimori_chat.bots.sessions.ports import RoomNews
from sakimori_chat.bots.sessions.session import SessionTimes
from sakimori_chat.bots.sessions.sessions import BotSessions, SessionLimits
from sakimori_chat.bots.sessions.workload import Workload
from sakimori_chat.domain.checks import Check
from sakimori_chat.ports import HeldMessages, Reporter, RoomDirectory, Rooms
from sakimori_chat.settings import ChatSettings, split_keys
from sakimori_common.context import ServiceContext
from sakimori_common.web import Certificate

MAX_RECONNECTS_PER_MINUTE: Final = 10
"""Sessions that a bot may open within a minute (S4-14: more are a rapid reconnect)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What bots share with people."""

    rooms: Rooms
    held: HeldMessages
    directory: RoomDirectory
    checks: Sequence[Check]
    reporter: Reporter
    news: RoomNews


@dataclass(frozen=True, slots=True)
class BotParts:
    """What serves bots; `registry.running` keeps it up to date, `sessions.running` looks after those connected."""

    registry: PostgresBotRegistry
    sessions: BotSessions
    listener: BotListener
    routes: APIRouter
    inner_routes: list[BaseRoute]


def bots_of(settings: ChatSettings, context: ServiceContext, around: Surroundings) -> BotParts:
    """Build what serves bots."""
    metrics = BotMetrics(context.registry)
    registry = _registry(settings, context, metrics)
    gate = ValkeyBotGate(context.valkey, _limits(settings), settings.never_block)
    door = _door(settings, around, registry, gate, metrics)
    office = BotOffice(
        registry=registry, gate=gate, reporter=around.reporter, metrics=metrics, rules=_office_rules(settings)
    )
    sessions = _sessions(settings, context, around, door, registry=registry, metrics=metrics)
    registry.listen(sessions.changed)
    edge_token = settings.edge_token.get_secret_value()
    routes = APIRouter()
    routes.include_router(bot_routes(Bots(door, office, around.directory, edge_token)))
    routes.include_router(bot_live_routes(sessions, edge_token, settings.origins))
    return BotParts(registry, sessions, _listener(settings, context, sessions), routes, bot_moderation_routes(office))


def _registry(settings: ChatSettings, context: ServiceContext, metrics: BotMetrics) -> PostgresBotRegistry:
    return PostgresBotRegistry(
        context.postgres,
        Sealer(settings.secret_key.get_secret_value(), split_keys(settings.previous_secret_keys)),
        context.log,
        metrics,
        pending_limit=settings.bot_pending_limit,
        pending_seconds=settings.bot_pending_seconds,
    )


def _door(
    settings: ChatSettings,
    around: Surroundings,
    registry: PostgresBotRegistry,
    gate: ValkeyBotGate,
    metrics: BotMetrics,
) -> BotDoor:
    return BotDoor(
        registry=registry,
        gate=gate,
        rooms=around.rooms,
        screening=Screening(around.checks, around.rooms, around.held, settings.events_with_text),
        directory=around.directory,
        reporter=around.reporter,
        metrics=metrics,
        forgeries=Forgeries(settings.bot_forgeries_per_minute),
    )


def _sessions(
    settings: ChatSettings,
    context: ServiceContext,
    around: Surroundings,
    door: BotDoor,
    *,
    registry: PostgresBotRegistry,
    metrics: BotMetrics,
) -> BotSessions:
    return BotSessions(
        door=door,
        claims=ValkeySessionClaims(
            context.valkey,
            connects=settings.bot_connects_per_minute,
            reconnects=MAX_RECONNECTS_PER_MINUTE,
            never_block=settings.never_block,
        ),
        heartbeats=PostgresHeartbeats(context.postgres, context.instance),
        news=around.news,
        workload=Workload(),
        note_seen=registry.note_seen,
        reporter=around.reporter,
        metrics=metrics,
        times=_session_times(settings),
        limits=SessionLimits(settings.bot_connections, settings.bot_handshake_seconds),
    )


def _listener(settings: ChatSettings, context: ServiceContext, sessions: BotSessions) -> BotListener:
    return BotListener(
        sessions,
        settings.host,
        settings.bot_ports,
        _certificate(settings),
        context.log,
        frame_seconds=settings.bot_frame_seconds,
    )


def _limits(settings: ChatSettings) -> BotLimits:
    return BotLimits(settings.bot_minute_limit, settings.bot_hour_limit, settings.bot_day_limit)


def _office_rules(settings: ChatSettings) -> OfficeRules:
    return OfficeRules(
        overlap_seconds=settings.bot_secret_overlap_seconds,
        registrations_of_address=settings.bot_registrations_per_address,
        registrations_in_all=settings.bot_registrations_per_hour,
        rotations_of_bot=settings.bot_rotations_per_hour,
    )


def _session_times(settings: ChatSettings) -> SessionTimes:
    return SessionTimes(
        lifetime=settings.bot_session_seconds,
        ping_interval=settings.bot_ping_seconds,
        ping_timeout=settings.bot_ping_timeout_seconds,
        read=settings.bot_read_timeout_seconds,
    )


def _certificate(settings: ChatSettings) -> Certificate | None:
    """Say what the bots' ports show by TLS; None where they speak in clear."""
    if settings.bot_certificate is None or settings.bot_key is None:
        return None
    return Certificate(settings.bot_certificate, settings.bot_key)
