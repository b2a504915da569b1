"""What the chat reports; its actions stand in the registry of all (S0-56, S0-69)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sakimori_chat.domain.identity import Client
from sakimori_common.contracts import ACTIONS, FieldValue, Severity


class Action(StrEnum):
    """Every event of the chat, as `event.action` has it."""

    MESSAGE_POSTED = "chat.message_posted"
    CSRF_FAILED = "security.csrf_failed"
    RATE_LIMIT_HIT = "security.rate_limit_hit"
    USER_BLOCKED = "security.user_blocked"
    BLOCKED_ACTION_ATTEMPT = "security.blocked_action_attempt"
    HIGH_RISK_BLOCK = "security.high_risk_block"
    MESSAGE_TOO_LONG = "security.message_too_long"
    MESSAGE_FLAGGED = "security.message_flagged"
    MUTED_POST = "security.muted_post"
    LOCKED_ROOM_POST = "security.locked_room_post"
    SLOW_MODE_HIT = "security.slow_mode_hit"
    IDENTITY_FLOOD = "security.identity_flood"
    COOKIE_FORGED = "security.cookie_forged"
    REQUESTS_SHED = "security.requests_shed"
    REQUEST_TIMED_OUT = "security.request_timed_out"
    CONNECTION_REFUSED = "security.connection_refused"
    FRAME_REFUSED = "security.frame_refused"
    REDIS_UNAVAILABLE = "system.redis_unavailable"


MESSAGES: Final = frozenset({"chat.message_posted", "bot.message_received"})
"""What somebody said; of the datasets `chat.message` and `bot.message`."""

SEVERITIES: Final[Mapping[Action, Severity]] = {action: ACTIONS[action].severity for action in Action}
"""How much each deserves attention, from the registry of all actions."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that something happened in: its trace id, its path, the client, and the identity where it has one.

    `address` is the client's as it is: for the security log of this host alone, never for an event.
    `cookie_age_seconds` is how long ago the identity was given out; None where that is not known.
    """

    trace_id: str
    path: str
    client: Client
    anon_id: str | None = None
    address: str = field(default="", repr=False)
    cookie_age_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something to report. `source` is what its volume is bounded by; `fields` are complete but for the envelope.

    `action` is an Action or a BotAction; `reason` are words for the security log of this host.
    """

    action: StrEnum
    source: str
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    address: str = field(default="", repr=False)
    reason: str = ""

    @property
    def dataset(self) -> str:
        """Name the dataset of docs/reference/fields.md."""
        return f"{self.category}.{'message' if self.action in MESSAGES else 'security'}"

    @property
    def category(self) -> str:
        """Say whose it is: `chat` or `bot`."""
        return ACTIONS[self.action].category

    @property
    def severity(self) -> Severity:
        """Say how much it deserves attention."""
        return ACTIONS[self.action].severity


def occurred(action: Action, origin: Origin, details: Mapping[str, FieldValue] | None = None) -> Occurrence:
    """Describe an occurrence without its text and without the address."""
    fields: dict[str, FieldValue] = {
        "event.category": ACTIONS[action].category,
        "event.action": action.value,
        "event.outcome": "success" if action is Action.MESSAGE_POSTED else "failure",
        "event.severity_name": SEVERITIES[action].value,
        "client.fingerprint": origin.client.fingerprint,
        "client.ip_hash": origin.client.ip_hash,
        "client.network_hash": origin.client.network_hash,
        "client.ua_hash": origin.client.ua_hash,
        "client.language_hash": origin.client.language_hash,
        **(details or {}),
    }
    if origin.trace_id:  # a connection that never became a request has none
        fields["url.path"], fields["trace.id"] = origin.path, origin.trace_id
    if origin.anon_id is not None:
        fields["user.id"] = origin.anon_id
    if origin.cookie_age_seconds is not None:
        fields["client.cookie_age_seconds"] = origin.cookie_age_seconds
    reason = str(fields.get("chat.reason", ""))
    return Occurrence(action, origin.client.network_hash, fields, origin.address, reason)


def store_away(origin: Origin, where: str) -> Occurrence:
    """Describe that Valkey did not answer; bounded for the whole service, since every request would say it."""
    occurrence = occurred(Action.REDIS_UNAVAILABLE, origin, {"chat.where": where})
    return Occurrence(occurrence.action, where, occurrence.fields)
