"""Builds what bots need."""

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from starlette.routing import BaseRoute

from sakimori_chat.adapters.sealing import Sealer
from sakimori_chat.bots.adapters.claims import ValkeySessionClaims
from sakimori_chat.bots.adapters.gate import ValkeyBotGate
from sakimori_chat.bots.adapters.heartbeats import PostgresHeartbeats
from sakimori_chat.bots.adapters.registry import PostgresBotRegistry
from sakimori_chat.bots.api.live import bot_live_routes
from sakimori_chat.bots.api.moderation import bot_moderation_routes
from sakimori_chat.bots.api.routes import Bots, bot_routes
from sakimori_chat.bots.domain.forgeries import Forgeries
from sakimori_chat.bots.domain.limits import BotLimits
from sakimori_chat.bots.inputs.listener import BotListener
from sakimori_chat.bots.intake import BotDoor
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.office import BotOffice, OfficeRules
from sakimori_chat.bots.sessions.ports import RoomNews
from sakimori_chat.bots.sessions.session import SessionTimes
from sakimori_chat.bots.sessions.sessions import BotSessions, SessionLimits
from sakimori_chat.bots.sessions.workload import Workload
from sakimori_chat.ports import Reporter, RoomDirectory, Rooms
from sakimori_chat.settings import ChatSettings, split_keys
from sakimori_common.context import ServiceContext
from sakimori_common.web import Certificate

MAX_RECONNECTS_PER_MINUTE: Final = 10
"""Sessions that a bot may open within a minute (S4-14: more are a rapid reconnect)."""


@dataclass(frozen=True, slots=True)
class BotParts:
    """What serves bots; `registry.running` keeps it up to date, `sessions.running` looks after those connected."""

    registry: PostgresBotRegistry
    routes: APIRouter
    inner_routes: list[BaseRoute]
    sessions: BotSessions
    listener: BotListener


def bots_of(
    settings: ChatSettings,
    context: ServiceContext,
    *,
    rooms: Rooms,
    directory: RoomDirectory,
    reporter: Reporter,
    news: RoomNews,
) -> BotParts:
    """Build what serves bots."""
    metrics = BotMetrics(context.registry)
    registry = PostgresBotRegistry(
        context.postgres,
        Sealer(settings.secret_key.get_secret_value(), split_keys(settings.previous_secret_keys)),
        context.log,
        metrics,
        pending_limit=settings.bot_pending_limit,
        pending_seconds=settings.bot_pending_seconds,
    )
    gate = ValkeyBotGate(context.valkey, bot_limits_of(settings), settings.never_block)
    door = BotDoor(
        registry=registry,
        gate=gate,
        rooms=rooms,
        directory=directory,
        reporter=reporter,
        metrics=metrics,
        forgeries=Forgeries(settings.bot_forgeries_per_minute),
    )
    office = BotOffice(
        registry=registry, gate=gate, reporter=reporter, metrics=metrics, rules=office_rules_of(settings)
    )
    sessions = BotSessions(
        door=door,
        claims=ValkeySessionClaims(
            context.valkey,
            connects=settings.bot_connects_per_minute,
            reconnects=MAX_RECONNECTS_PER_MINUTE,
            never_block=settings.never_block,
        ),
        heartbeats=PostgresHeartbeats(context.postgres, context.instance),
        news=news,
        workload=Workload(),
        note_seen=registry.note_seen,
        reporter=reporter,
        metrics=metrics,
        times=session_times_of(settings),
        limits=SessionLimits(settings.bot_connections, settings.bot_handshake_seconds),
    )
    registry.listen(sessions.changed)
    listener = BotListener(
        sessions,
        settings.host,
        settings.bot_ports,
        certificate_of(settings),
        context.log,
        frame_seconds=settings.bot_frame_seconds,
    )
    edge_token = settings.edge_token.get_secret_value()
    routes = APIRouter()
    routes.include_router(bot_routes(Bots(door, office, directory, edge_token)))
    routes.include_router(bot_live_routes(sessions, edge_token))
    return BotParts(registry, routes, bot_moderation_routes(office), sessions, listener)


def bot_limits_of(settings: ChatSettings) -> BotLimits:
    """Collect the limits of bots from the settings."""
    return BotLimits(settings.bot_minute_limit, settings.bot_hour_limit, settings.bot_day_limit)


def office_rules_of(settings: ChatSettings) -> OfficeRules:
    """Collect how bots register and change secrets from the settings."""
    return OfficeRules(
        overlap_seconds=settings.bot_secret_overlap_seconds,
        registrations_of_address=settings.bot_registrations_per_address,
        registrations_in_all=settings.bot_registrations_per_hour,
        rotations_of_bot=settings.bot_rotations_per_hour,
    )


def session_times_of(settings: ChatSettings) -> SessionTimes:
    """Collect the patience of sessions from the settings."""
    return SessionTimes(
        lifetime=settings.bot_session_seconds,
        ping_interval=settings.bot_ping_seconds,
        ping_timeout=settings.bot_ping_timeout_seconds,
        read=settings.bot_read_timeout_seconds,
    )


def certificate_of(settings: ChatSettings) -> Certificate | None:
    """Say what the bots' ports show by TLS; None where they speak in clear."""
    if settings.bot_certificate is None or settings.bot_key is None:
        return None
    return Certificate(settings.bot_certificate, settings.bot_key)
