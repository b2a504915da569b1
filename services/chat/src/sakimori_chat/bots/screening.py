"""What a room's checks make of what bots say: a room's policy is everybody's, whatever they come by."""

from collections.abc import Sequence
from dataclasses import dataclass

from sakimori_chat.bots.domain.device import Bot
from sakimori_chat.domain.checking.similarity import signature
from sakimori_chat.domain.checks import Check, Judgement, Said, judge
from sakimori_chat.domain.held import Held
from sakimori_chat.domain.messages import Draft, Kind
from sakimori_chat.domain.posting import flag_of
from sakimori_chat.domain.rooms import Reaction, Room
from sakimori_chat.ports import HeldMessages, Rooms
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import now_text


@dataclass(frozen=True, slots=True)
class Screening:
    """The checks, and where messages go that pass or are held. Every method raises StoreUnavailable.

    `reports_text` puts words of messages into the events of objections; the default is never to.
    """

    checks: Sequence[Check]
    rooms: Rooms
    held: HeldMessages
    reports_text: bool = False

    async def judge(self, bot: Bot, room: Room, text: str, at: float) -> Judgement:
        """Look at a cleaned text; `at` in seconds. What was lately said is asked for only where it matters."""
        recent = await self.rooms.recent(room.name) if room.policy.compares(is_bot=True) else ()
        return judge(Said(text, bot.name, bot.id, at, recent, is_bot=True), room.policy, self.checks)

    async def store(self, bot: Bot, room: Room, text: str, judgement: Judgement) -> int:
        """Put a text that was not refused into the room, or before operators; its number."""
        is_held = judgement.reaction is Reaction.HOLD
        draft = Draft(bot.id, bot.name, text, now_text(), kind=Kind.BOT, is_private=is_held)
        trace = signature(text) if room.policy.compares(is_bot=True) else b""
        number = await self.rooms.append(room.name, draft, trace)
        if is_held:
            await self.held.hold(Held.of(room.name, number, draft, judgement.objections))
        return number

    def flags(self, judgement: Judgement) -> list[dict[str, FieldValue]]:
        """Give the fields of an event for each objection."""
        return [flag_of(each, judgement, self.reports_text) for each in judgement.objections]
