"""Why a bot is not served: status, code, words, and the event that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sakimori_chat.bots.domain.device import Bot, BotStatus
from sakimori_chat.bots.domain.limits import BotOutcome, BotVerdict, Quota
from sakimori_chat.bots.domain.occurrences import BotAction
from sakimori_chat.domain import posting
from sakimori_chat.domain.rooms import CheckName
from sakimori_common.contracts import FieldValue


@dataclass(frozen=True, slots=True)
class BotRefusal:
    """A request or frame that is not served.

    `status` is that of HTTP, `code` stable for programs, `detail` for the bot's author. `retry_seconds` is 0 where
    another try would not help. `action` is the event (None: none), `words` what the security log says.
    """

    status: int
    code: str
    detail: str
    action: BotAction | None = None
    words: str = ""
    retry_seconds: int = 0
    quotas: tuple[Quota, ...] = ()
    details: Mapping[str, FieldValue] = field(default_factory=dict)

    def fields(self) -> dict[str, FieldValue]:
        """Give the event's fields of it."""
        return {"bot.refusal": self.code, **self.details}


_HMAC: Final = "HMAC verification failed"
_UNAUTHORIZED: Final = "Unauthorized bot attempt"

MISSING: Final = BotRefusal(
    401,
    "signature_missing",
    "Send X-Sakimori-Bot, -Timestamp, -Nonce and -Signature, each once.",
    BotAction.UNAUTHORIZED,
    f"{_UNAUTHORIZED}: no signature",
)
NO_BOT: Final = replace(MISSING, action=None, words="")
"""A page somewhere had a browser ask, which cannot send those headers. Nobody tried to come in, and whoever sits there
shall not be shut out for it, so there is neither an event nor a line of the security log.
"""
WRONG: Final = BotRefusal(
    401,
    "signature_wrong",
    "The signature is not that of this request under a secret of this bot.",
    BotAction.HMAC_FAILED,
    _HMAC,
)
"""Of an unknown bot, too: nobody learns which bots there are."""
SKEWED: Final = BotRefusal(
    401,
    "timestamp_skewed",
    "The timestamp is more than 300 seconds away from this server's clock (see Date).",
    BotAction.HMAC_FAILED,
    f"{_HMAC}: timestamp is too far away",
)
REPLAYED: Final = BotRefusal(
    401,
    "nonce_replayed",
    "This nonce was used before: every request needs a new one.",
    BotAction.REPLAY_REFUSED,
    "Replayed bot request refused",
)
STORE_AWAY: Final = BotRefusal(
    503, "store_unavailable", "Nobody can be checked right now; it comes back by itself.", retry_seconds=1
)
"""Reported by who noticed it, as bot.store_unavailable with the name of the store."""
ROOM_NOT_APPROVED: Final = BotRefusal(
    403,
    "room_not_approved",
    "This bot may not use that room; an operator can allow it.",
    BotAction.ROOM_REFUSED,
    "Bot in a room that it may not use",
)
ROOM_LOCKED: Final = BotRefusal(
    403, "room_locked", "The room is locked; nobody can post now.", BotAction.ROOM_REFUSED, "Bot in a locked room"
)
EMPTY: Final = BotRefusal(
    400,
    "empty",
    "A message needs at least one visible character.",
    BotAction.MESSAGE_REFUSED,
    "Message of a bot without text",
)
BODY_TOO_LARGE: Final = BotRefusal(
    413,
    "body_too_large",
    "A request has at most 65536 bytes.",
    BotAction.MESSAGE_REFUSED,
    "Request of a bot is too large",
)
NOT_UNDERSTOOD: Final = BotRefusal(
    400, "bad_request", "", BotAction.MESSAGE_REFUSED, "Request of a bot is not understood"
)
FORGERIES: Final = BotRefusal(
    429,
    "too_many_attempts",
    "Too many requests from this address had no valid signature.",
    BotAction.RATE_LIMIT_HIT,
    "Rate limit exceeded for signatures of this address",
    details={"bot.limit_period": "minute", "bot.limit_scope": "address"},
)
NAME_TAKEN: Final = BotRefusal(
    409,
    "name_taken",
    "Another bot has this name, or one that looks like it.",
    BotAction.REGISTRATION_REFUSED,
    "Bot registration refused: name is taken",
)
TOO_MANY_PENDING: Final = BotRefusal(
    429,
    "too_many_pending",
    "So many bots wait for an operator that no further one can register now.",
    BotAction.REGISTRATION_REFUSED,
    "Bot registration refused: too many wait",
    retry_seconds=3600,
)
STATUS: Final[Mapping[BotStatus, str]] = {
    BotStatus.PENDING: "An operator has not approved this bot yet.",
    BotStatus.DENIED: "An operator denied this bot.",
    BotStatus.REVOKED: "This bot was revoked; it can register anew.",
    BotStatus.BLOCKED: "An operator blocked this bot.",
}


UNWELCOME: Final[Mapping[CheckName, BotRefusal]] = {
    name: BotRefusal(
        422, name.value, detail, BotAction.MESSAGE_REFUSED, "Message of a bot that the room's checks refuse"
    )
    for name, detail in posting.UNWELCOME.items()
}
"""What the room's checks refuse, by the first that does."""


def malformed(what: str) -> BotRefusal:
    """Refuse a proof that does not have its shape."""
    return replace(MISSING, code="signature_malformed", detail=f"{what[:1].upper()}{what[1:]}.")


def not_understood(what: str) -> BotRefusal:
    """Refuse a request that is signed but makes no sense."""
    return replace(NOT_UNDERSTOOD, detail=what)


def too_long(limit: int, characters: int) -> BotRefusal:
    """Refuse a text that is longer than the room takes."""
    return BotRefusal(
        400,
        "too_long",
        f"A message has at most {limit} characters; this one has {characters}.",
        BotAction.MESSAGE_REFUSED,
        "Message of a bot is too long",
        details={"chat.message.length": characters},
    )


def not_registered(what: str, code: str = "bad_request", status: int = 400) -> BotRefusal:
    """Refuse a registration that makes no sense."""
    return BotRefusal(status, code, what, BotAction.REGISTRATION_REFUSED, "Bot registration refused")


def too_often(what: str, seconds: int) -> BotRefusal:
    """Refuse what is rare: `registrations` (of an address, or in all), `secrets` (of a bot)."""
    return BotRefusal(
        429,
        f"too_many_{what}",
        f"Too many {what} within an hour; wait {seconds} seconds.",
        BotAction.REGISTRATION_REFUSED,
        f"Bot registration refused: too many {what}",
        seconds,
        details={"bot.limit_period": "hour"},
    )


def refusal_of_status(bot: Bot, *, lets_pending: bool = False) -> BotRefusal | None:
    """Refuse a bot that nobody approved, or no longer; None when it may come in."""
    if bot.status is BotStatus.APPROVED or (lets_pending and bot.status is BotStatus.PENDING):
        return None
    words = f"{_UNAUTHORIZED}: {bot.status}"
    return BotRefusal(403, f"bot_{bot.status}", STATUS[bot.status], BotAction.UNAUTHORIZED, words)


def refusal_of_verdict(bot_id: str, verdict: BotVerdict) -> BotRefusal | None:
    """Turn the gate's answer into a refusal; None when the request is admitted."""
    match verdict.outcome:
        case BotOutcome.ADMITTED:
            return None
        case BotOutcome.REPLAYED:
            return REPLAYED
        case BotOutcome.DECIDED:
            return BotRefusal(
                403,
                "blocked_by_decision",
                f"This address is blocked for {verdict.seconds} more seconds.",
                BotAction.UNAUTHORIZED,
                f"{_UNAUTHORIZED}: address is blocked",
                verdict.seconds,
            )
        case BotOutcome.LIMITED:
            return BotRefusal(
                429,
                "rate_limited",
                f"Rate limit exceeded: {verdict.period}. Wait {verdict.seconds} seconds.",
                BotAction.RATE_LIMIT_HIT,
                f"Rate limit exceeded for {bot_id}: {verdict.period}",
                verdict.seconds,
                verdict.quotas,
                {"bot.limit_period": str(verdict.period), "bot.limit_scope": "bot"},
            )
