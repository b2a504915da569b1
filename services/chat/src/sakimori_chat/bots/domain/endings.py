"""How sessions of bots end, and why some never begin."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sakimori_chat.bots.domain.device import BotStatus
from sakimori_chat.bots.domain.occurrences import BotAction
from sakimori_chat.bots.domain.refusals import BotRefusal
from sakimori_chat.bots.domain.session import Fault, FaultCode


class Ending(StrEnum):
    """Why a session that was open ended, where it was no fault of a frame."""

    LEFT = "left"
    """The bot went, or its connection was lost."""
    REPLACED = "replaced"
    """The bot opened another session, here or at another replica."""
    DENIED = "bot_denied"
    REVOKED = "bot_revoked"
    BLOCKED = "bot_blocked"
    UNREGISTERED = "bot_unregistered"
    ADDRESS_BLOCKED = "blocked_by_decision"
    EXPIRED = "session_expired"
    PING_TIMEOUT = "ping_timeout"
    READ_TIMEOUT = "read_timeout"
    TOO_SLOW = "too_slow"
    """It does not take what is sent to it."""
    SHUTDOWN = "server_shutdown"


WORDS: Final[Mapping[Ending, str]] = {
    Ending.LEFT: "The bot left.",
    Ending.REPLACED: "This bot has opened another session.",
    Ending.DENIED: "An operator denied this bot.",
    Ending.REVOKED: "This bot was revoked; it can register anew.",
    Ending.BLOCKED: "An operator blocked this bot.",
    Ending.UNREGISTERED: "This bot is not registered any more.",
    Ending.ADDRESS_BLOCKED: "This address is blocked.",
    Ending.EXPIRED: "A session lasts an hour at most: connect again.",
    Ending.PING_TIMEOUT: "No ping was answered for too long.",
    Ending.READ_TIMEOUT: "Nothing came for too long.",
    Ending.TOO_SLOW: "The bot does not read what it is sent.",
    Ending.SHUTDOWN: "The server is going down: connect again in a while.",
}
_OF_STATUS: Final = {
    BotStatus.DENIED: Ending.DENIED,
    BotStatus.REVOKED: Ending.REVOKED,
    BotStatus.BLOCKED: Ending.BLOCKED,
}

_CLOSE_CODES: Final[Mapping[str, int]] = {
    Ending.LEFT: 1000,
    Ending.SHUTDOWN: 1001,
    FaultCode.INVALID_UTF8: 1007,
    FaultCode.INVALID_JSON: 1007,
    FaultCode.FRAME_TOO_LARGE: 1009,
    Ending.TOO_SLOW: 1013,
    "too_many_connections": 1013,
    "store_unavailable": 1013,
    Ending.REPLACED: 4001,
    Ending.EXPIRED: 4002,
    Ending.PING_TIMEOUT: 4008,
    Ending.READ_TIMEOUT: 4008,
    "handshake_timeout": 4008,
}


def ending_of_status(status: BotStatus) -> Ending | None:
    """Say how a session ends whose bot's status became this; None when it goes on."""
    return _OF_STATUS.get(status)


def close_code(code: str) -> int:
    """Choose the WebSocket's close code (RFC 6455, 7.4): 1008 where none says more; a frame before it does."""
    return _CLOSE_CODES.get(code, 1008)


def _refused(status: int, code: str, detail: str, retry_seconds: int = 0) -> BotRefusal:
    words = f"Bot handshake refused: {code}"
    return BotRefusal(status, code, detail, BotAction.HANDSHAKE_REFUSED, words, retry_seconds)


TOO_MANY_CONNECTIONS: Final = _refused(503, "too_many_connections", "This server has no place for another bot.", 5)
TOO_MANY_HANDSHAKES: Final = _refused(503, "too_many_connections", "Too many connections have said nothing yet.", 5)
LATE: Final = _refused(408, "handshake_timeout", "No handshake came in time.")
STOPPING: Final = BotRefusal(503, Ending.SHUTDOWN, WORDS[Ending.SHUTDOWN], retry_seconds=5)


def too_many_connects(seconds: float) -> BotRefusal:
    """Refuse an address that connects too often."""
    return _refused(429, "too_many_connects", "This address connects too often.", max(1, round(seconds)))


def rapid_reconnect(seconds: float) -> BotRefusal:
    """Refuse a bot that reconnects without end (S4-14)."""
    return _refused(429, "rapid_reconnect", "This bot connects too often.", max(1, round(seconds)))


def refusal_of_fault(fault: Fault) -> BotRefusal:
    """Turn a first frame that was no handshake into a refusal."""
    return _refused(400, fault.code, fault.detail)


def refusal_of_frame(fault: Fault) -> BotRefusal:
    """Turn a frame that an open session does not take into a refusal, with its event."""
    match fault.code:
        case FaultCode.SIGNATURE_WRONG:
            action, words = BotAction.HMAC_FAILED, "HMAC verification failed"
        case FaultCode.REPLAYED | FaultCode.OUT_OF_ORDER:
            action, words = BotAction.REPLAY_REFUSED, "Replayed bot frame refused"
        case _:
            action, words = BotAction.FRAME_REFUSED, f"Bot frame refused: {fault.code}"
    return BotRefusal(400, fault.code, fault.detail, action, words)
