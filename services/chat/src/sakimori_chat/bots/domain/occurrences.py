"""What the bots' doors report; the actions stand in the registry of all (S0-56)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sakimori_chat.bots.domain.device import is_bot_id
from sakimori_chat.domain.identity import network_of
from sakimori_chat.domain.occurrences import Occurrence
from sakimori_common.contracts import ACTIONS, FieldValue


class BotAction(StrEnum):
    """Every event of bots, as `event.action` has it."""

    MESSAGE_RECEIVED = "bot.message_received"
    DATA_READ = "bot.data_read"
    CONNECTED = "bot.connected"
    DISCONNECTED = "bot.disconnected"
    HANDSHAKE_REFUSED = "bot.handshake_refused"
    FRAME_REFUSED = "bot.frame_refused"
    HMAC_FAILED = "bot.hmac_failed"
    REPLAY_REFUSED = "bot.replay_refused"
    UNAUTHORIZED = "bot.unauthorized"
    RATE_LIMIT_HIT = "bot.rate_limit_hit"
    ROOM_REFUSED = "bot.room_refused"
    MESSAGE_REFUSED = "bot.message_refused"
    MESSAGE_FLAGGED = "bot.message_flagged"
    REGISTERED = "bot.registered"
    REGISTRATION_REFUSED = "bot.registration_refused"
    SECRET_ROTATED = "bot.secret_rotated"  # noqa: S105  # the name of an event
    STATUS_CHANGED = "bot.status_changed"
    STORE_UNAVAILABLE = "bot.store_unavailable"


SUCCESSES: Final = frozenset(
    {
        BotAction.MESSAGE_RECEIVED,
        BotAction.DATA_READ,
        BotAction.CONNECTED,
        BotAction.DISCONNECTED,
        BotAction.REGISTERED,
        BotAction.SECRET_ROTATED,
        BotAction.STATUS_CHANGED,
    }
)


@dataclass(frozen=True, slots=True)
class BotOrigin:
    """Where a bot's request comes from: its trace id, the canonical address, the path, and the way in.

    `transport` is `http`, `websocket` or `tcp`. What an operator does has neither address nor transport.
    """

    trace_id: str
    address: str
    path: str = ""
    transport: str = "http"


def bot_occurred(
    action: BotAction,
    origin: BotOrigin,
    *,
    bot_id: str = "",
    name: str = "",
    details: Mapping[str, FieldValue] | None = None,
    reason: str = "",
) -> Occurrence:
    """Describe an occurrence. `bot_id` may be what somebody claims to be; what has not the shape of an id is left out.

    `reason` are the words of the security log. Bots are servers, so `source.ip` is in the event.
    """
    fields: dict[str, FieldValue] = {
        "event.category": ACTIONS[action].category,
        "event.action": action.value,
        "event.outcome": "success" if action in SUCCESSES else "failure",
        "event.severity_name": ACTIONS[action].severity.value,
        **(details or {}),
    }
    known = {
        "source.ip": origin.address,
        "bot.transport": origin.transport,
        "trace.id": origin.trace_id,
        "url.path": origin.path,
        "device.id": bot_id if is_bot_id(bot_id) else "",
        "user.name": name,
    }
    fields.update({field: value for field, value in known.items() if value})
    return Occurrence(action, network_of(origin.address), fields, origin.address, reason)


def store_away(store: str, origin: BotOrigin) -> Occurrence:
    """Describe that a store (`valkey`, `postgresql`) does not answer.

    Bounded for the whole service, since every request would say it; without an address, which is not to blame.
    """
    action = BotAction.STORE_UNAVAILABLE
    occurrence = bot_occurred(action, origin, details={"bot.store": store})
    fields = {name: value for name, value in occurrence.fields.items() if name != "source.ip"}
    return Occurrence(action, store, fields)
