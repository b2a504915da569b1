"""The chat as its operators see it. Instants are RFC 3339 in UTC."""

from typing import Any

import msgspec


class ChatCheckPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a check of messages is set: `reaction` is off, note, hold or refuse; the threshold is on its own scale.

    `bots` is the reaction to messages of bots where that is another one.
    """

    reaction: str = "off"
    threshold: float | None = None
    bots: str | None = None


class ChatRoomPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What operators decided about a room; `checks` are those that are not set as by default."""

    title: str = ""
    is_locked: bool = False
    slow_seconds: float = 0.0
    max_characters: int = 300
    words: list[str] = []
    checks: dict[str, ChatCheckPolicy] = {}


class ChatRoom(msgspec.Struct, frozen=True, kw_only=True):
    """A room of the chat, open or closed; who changed it last is empty where nobody ever did."""

    name: str
    policy: ChatRoomPolicy
    is_open: bool
    changed_by: str = ""
    changed_at: str = ""


class ChatRoomList(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms, the lobby first, those that are closed last."""

    rooms: list[ChatRoom]


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message with its author.

    `author_id` is the anonymous id (`user.id` of events), or a bot's; `fingerprint` the keyed hash of the author's
    network, browser and language. Where `is_private` its author alone sees it.
    """

    room: str
    number: int
    author_id: str
    fingerprint: str
    kind: str
    name: str
    text: str
    posted_at: str
    is_private: bool


class ChatObjection(msgspec.Struct, frozen=True, kw_only=True):
    """Why a check objects to a message: how much it found, from where on that counts, and what moved it."""

    check: str
    score: float
    threshold: float
    reasons: list[str] = []


class ChatTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a text in a room.

    `text` is as it would be shown, `refusal` the code that it would be refused with (empty: it would be taken),
    `reaction` what becomes of it where checks object (off: none does).
    """

    text: str
    refusal: str
    reaction: str
    objections: list[ChatObjection] = []


class HeldChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that its author alone sees until an operator releases or discards it."""

    room: str
    number: int
    author_id: str
    fingerprint: str
    name: str
    text: str
    held_at: str
    objections: list[ChatObjection] = []


class HeldChatMessageList(msgspec.Struct, frozen=True, kw_only=True):
    """Held messages, the newest first, at most 1,000."""

    held: list[HeldChatMessage]


class ReleasedChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message stands that was released: it came in anew, at the end of its room."""

    room: str
    number: int


class ChatMute(msgspec.Struct, frozen=True, kw_only=True):
    """For how many seconds an identity is muted yet, 0 when it is not; who muted it, why and since when."""

    user_id: str
    seconds: int
    by: str = ""
    reason: str = ""
    muted_at: str = ""


class ChatMuteList(msgspec.Struct, frozen=True, kw_only=True):
    """Mutes in force, those that last longest first, at most 1,000."""

    mutes: list[ChatMute]


class ChatBan(msgspec.Struct, frozen=True, kw_only=True):
    """A block or throttle that the chat enforces: of whom, and for how many seconds yet.

    `by` is `chat` (an identity that posted too fast; `step` is where it stands on the ladder of bans), `detector` or
    `operator`; of a decision, `decision_id`, `rule_id` and `reason` are those of the newest one. Of an IPv6 address the
    entity is its /64.
    """

    entity_type: str
    entity: str
    action: str
    seconds: int
    by: str
    step: int = 0
    decided_at: str = ""
    decision_id: str = ""
    rule_id: str = ""
    reason: str = ""


class ChatBanList(msgspec.Struct, frozen=True, kw_only=True):
    """Blocks and throttles in force in the chat, those that last longest first, at most 1,000."""

    bans: list[ChatBan]


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """A bot: `status` is pending, approved, denied, revoked or blocked; `rooms` are those it may use."""

    id: str
    name: str
    status: str
    rooms: list[str]
    contact: str
    registered_at: str | None
    last_ping_at: str | None
    blocked_at: str | None
    blocked_reason: str


class BotList(msgspec.Struct, frozen=True, kw_only=True):
    """Bots, those that wait for approval first."""

    bots: list[Bot]


class BotChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a bot became, by whom (an operator, or `bot`) and why."""

    status: str
    by: str
    reason: str
    at: str | None


class BotDetail(Bot, frozen=True, kw_only=True):
    """A bot with its record, oldest first."""

    record: list[BotChange]


class BlockedBots(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each bot that was to be blocked; `refused` says by id why not."""

    blocked: list[Bot]
    refused: dict[str, str]


class IssuedBotSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A bot's new secret, shown this once, and until when the one before it is good."""

    bot: Bot
    secret: str
    previous_expires_at: str | None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The chat's answer to a change: what was, and what is."""

    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
