"""Builds what bots need."""

from dataclasses import dataclass

from sakimori_chat.adapters.bot_gate import ValkeyBotGate
from sakimori_chat.adapters.bot_registry import PostgresBotRegistry
from sakimori_chat.adapters.sealing import Sealer
from sakimori_chat.api.bots import Bots
from sakimori_chat.bot_intake import BotDoor
from sakimori_chat.bot_office import BotOffice, OfficeRules
from sakimori_chat.domain.bots.forgeries import Forgeries
from sakimori_chat.domain.bots.limits import BotLimits
from sakimori_chat.metrics import BotMetrics
from sakimori_chat.ports import Reporter, RoomDirectory, Rooms
from sakimori_chat.settings import ChatSettings, split_keys
from sakimori_common.context import ServiceContext


@dataclass(frozen=True, slots=True)
class BotParts:
    """What serves bots; `registry.running` keeps it up to date."""

    registry: PostgresBotRegistry
    door: BotDoor
    office: BotOffice
    api: Bots


def bots_of(
    settings: ChatSettings,
    context: ServiceContext,
    *,
    rooms: Rooms,
    directory: RoomDirectory,
    reporter: Reporter,
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
    gate = ValkeyBotGate(context.valkey, bot_limits_of(settings))
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
    return BotParts(registry, door, office, Bots(door, office, directory, settings.edge_token.get_secret_value()))


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
