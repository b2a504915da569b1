"""Rooms: how they are called and what may be said in them."""

import re
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from sakimori_chat.domain.text import MAX_MESSAGE_CHARACTERS

LOBBY: Final = "lobby"
"""The room that is always there."""
MAX_ROOMS: Final = 100
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class CheckName(StrEnum):
    """What a message is looked at for, in this order."""

    WORDS = "words"
    LINKS = "links"
    DUPLICATE = "duplicate"
    SPAM = "spam"


class Reaction(StrEnum):
    """What becomes of a message that a check objects to, mildest first."""

    OFF = "off"
    """The check does not run."""
    NOTE = "note"
    """It is shown; operators are told."""
    HOLD = "hold"
    """Its author alone sees it until an operator releases it."""
    REFUSE = "refuse"
    """It is not taken, and the author is told why."""


class CheckPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one check is set. `threshold` is on the check's own scale; None takes the check's default.

    `bots` is what becomes of messages of bots; None: as DEFAULT_CHECKS has it, or else what becomes of people's.
    """

    reaction: Reaction = Reaction.OFF
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1000)] | None = None
    bots: Reaction | None = None


class RoomPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator decides about a room; every field has a default that suits an open room."""

    title: Annotated[str, msgspec.Meta(max_length=60)] = ""
    is_locked: bool = False
    slow_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    """Least time between two posts of one identity; 0 turns slow mode off."""
    max_characters: Annotated[int, msgspec.Meta(ge=1, le=2000)] = MAX_MESSAGE_CHARACTERS
    words: Annotated[
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=64)], ...], msgspec.Meta(max_length=1000)
    ] = ()
    """Words and phrases that are not welcome; compared folded, so look-alike letters do not get around them."""
    checks: dict[CheckName, CheckPolicy] = msgspec.field(default_factory=dict)
    """Checks that are set differently from DEFAULT_CHECKS."""

    def check(self, name: CheckName) -> CheckPolicy:
        """Say how a check is set in this room."""
        return self.checks.get(name) or DEFAULT_CHECKS[name]

    def reaction(self, name: CheckName, *, is_bot: bool = False) -> Reaction:
        """Say what becomes of a message that a check objects to."""
        check = self.check(name)
        for_bots = (check.bots, DEFAULT_CHECKS[name].bots) if is_bot else ()
        return next((each for each in for_bots if each is not None), check.reaction)

    def compares(self, *, is_bot: bool = False) -> bool:
        """Tell whether a message is compared with what was lately said."""
        return self.reaction(CheckName.DUPLICATE, is_bot=is_bot) is not Reaction.OFF


DEFAULT_CHECKS: Final[dict[CheckName, CheckPolicy]] = {
    CheckName.WORDS: CheckPolicy(reaction=Reaction.REFUSE),
    CheckName.LINKS: CheckPolicy(reaction=Reaction.OFF),
    CheckName.DUPLICATE: CheckPolicy(reaction=Reaction.REFUSE, bots=Reaction.OFF),
    CheckName.SPAM: CheckPolicy(reaction=Reaction.NOTE),
}
"""A bot repeats itself by nature (weather, trains), was approved by an operator and has limits of its own."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A room that is open."""

    name: str
    policy: RoomPolicy = RoomPolicy()


class RoomRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A room as operators see it, open or closed; `changed_at` is RFC 3339, both empty where nobody ever changed it."""

    name: str
    policy: RoomPolicy = RoomPolicy()
    is_open: bool = True
    changed_by: str = ""
    changed_at: str = ""


def is_room_name(text: str) -> bool:
    """Tell whether a text can name a room: 1 to 32 of `a-z0-9-`, no hyphen at either end."""
    return _NAME.fullmatch(text) is not None
