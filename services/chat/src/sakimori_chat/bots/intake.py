"""The one door for bots: who is there, may they, what they say and read. HTTP and sessions both come through here."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from sakimori_chat.bots.domain.device import Bot, BotSecret
from sakimori_chat.bots.domain.forgeries import Forgeries
from sakimori_chat.bots.domain.limits import Quota
from sakimori_chat.bots.domain.occurrences import BotAction, BotOrigin, bot_occurred, store_away
from sakimori_chat.bots.domain.refusals import (
    EMPTY,
    FORGERIES,
    ROOM_LOCKED,
    ROOM_NOT_APPROVED,
    SKEWED,
    STORE_AWAY,
    UNWELCOME,
    WRONG,
    BotRefusal,
    refusal_of_status,
    refusal_of_verdict,
    too_long,
)
from sakimori_chat.bots.domain.signature import Claim, is_skewed, signer_of
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.ports import BotGate, BotRegistry
from sakimori_chat.bots.screening import Screening
from sakimori_chat.domain.identity import network_of
from sakimori_chat.domain.messages import Page
from sakimori_chat.domain.occurrences import Occurrence
from sakimori_chat.domain.rooms import Room
from sakimori_chat.domain.text import clean_text, is_oversized
from sakimori_chat.ports import Reporter, RoomDirectory, Rooms, StoreUnavailable
from sakimori_common.contracts import FieldValue

MAX_PAGE: Final = 100
Store = Literal["postgresql", "valkey"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A bot that was let in for one request or frame: as the registry has it now, and what is left to it."""

    bot: Bot
    quotas: tuple[Quota, ...] = ()
    secret: BotSecret | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message that is in the room under this number."""

    number: int


class BotDoor:
    """Lets bots in. Nothing of a request is believed before its signature; a store that is away lets nobody in.

    What is refused is reported here; a caller only renders it.
    """

    def __init__(
        self,
        *,
        registry: BotRegistry,
        gate: BotGate,
        rooms: Rooms,
        screening: Screening,
        directory: RoomDirectory,
        reporter: Reporter,
        metrics: BotMetrics,
        forgeries: Forgeries,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._gate = gate
        self._rooms = rooms
        self._screening = screening
        self._directory = directory
        self._reporter = reporter
        self._metrics = metrics
        self._forgeries = forgeries
        self._clock = clock

    async def authenticate(
        self, claim: Claim, origin: BotOrigin, *, lets_pending: bool = False
    ) -> Admitted | BotRefusal:
        """Let a request (or the handshake of a session) in: signature, time, nonce and limits, status; in this order.

        Counts one against the bot's limits once signature and nonce are good, and marks the bot as seen.
        `lets_pending`: one that waits for approval may come in, too (`Admitted.bot.status` tells); not post or read.
        """
        now = self._clock()
        try:
            bot = self._registry.find(claim.bot_id)
        except StoreUnavailable:
            return self.store_away("postgresql", origin)
        signer = signer_of(claim.text(), claim.tag, bot.secrets if bot else (), now)
        if bot is None or signer is None:
            return self._forged(claim, origin, now)
        if is_skewed(claim.timestamp, now):
            return self.refuse(SKEWED, origin, bot.id, bot.name)
        return await self._let_in(bot, origin, claim.nonce, lets_pending, signer)

    async def admit(self, bot_id: str, origin: BotOrigin) -> Admitted | BotRefusal:
        """Let one more frame of an open session in, whose signature the caller has checked: limits, then status now."""
        try:
            bot = self._registry.find(bot_id)
        except StoreUnavailable:
            return self.store_away("postgresql", origin)
        if bot is None:
            return self.refuse(WRONG, origin, bot_id)
        return await self._let_in(bot, origin, nonce=None, lets_pending=False)

    async def receive(self, admitted: Admitted, room: str, text: str, origin: BotOrigin) -> Receipt | BotRefusal:
        """Put what a bot says in a room."""
        bot = admitted.bot
        found, cleaned = self._room_of(bot, room), clean_text(text)
        if isinstance(found, Room):
            found = _refusal_in(found, text, cleaned) or found
        if isinstance(found, BotRefusal):
            return self.refuse(found, origin, bot.id, bot.name, {"chat.room": room[:32]})
        try:
            with self._metrics.message_processing_seconds.time():
                return await self._screened(bot, found, cleaned, origin)
        except StoreUnavailable:
            return self.store_away("valkey", origin)

    async def read(self, admitted: Admitted, room: str, after: int, limit: int, origin: BotOrigin) -> Page | BotRefusal:
        """Read what follows a number of a room, oldest first, at most 100."""
        bot = admitted.bot
        found = self._room_of(bot, room)
        if isinstance(found, BotRefusal):
            return self.refuse(found, origin, bot.id, bot.name, {"chat.room": room[:32]})
        try:
            page = await self._rooms.after(room, after, max(1, min(limit, MAX_PAGE)), bot.id)
        except StoreUnavailable:
            return self.store_away("valkey", origin)
        details: dict[str, FieldValue] = {"chat.room": room, "bot.messages": len(page.messages)}
        self._reporter.report(_done(BotAction.DATA_READ, origin, bot, details))
        return page

    def find(self, bot_id: str) -> Bot | None:
        """Find a bot as the registry has it now, from memory. Raises StoreUnavailable when nobody can tell."""
        return self._registry.find(bot_id)

    def refuse(
        self,
        refusal: BotRefusal,
        origin: BotOrigin,
        bot_id: str = "",
        name: str = "",
        details: dict[str, FieldValue] | None = None,
    ) -> BotRefusal:
        """Report a refusal, and return it; `bot_id` may be what somebody claims to be."""
        self._metrics.count_refusal(refusal)
        if refusal.action is not None:
            fields = {**refusal.fields(), **(details or {})}
            self._reporter.report(
                bot_occurred(refusal.action, origin, bot_id=bot_id, name=name, details=fields, reason=refusal.words)
            )
        return refusal

    def store_away(self, store: Store, origin: BotOrigin) -> BotRefusal:
        """Report that a store did not answer; the refusal to give."""
        self._metrics.refusals_total.labels(STORE_AWAY.code).inc()
        self._reporter.report(store_away(store, origin))
        return STORE_AWAY

    async def _screened(self, bot: Bot, room: Room, text: str, origin: BotOrigin) -> Receipt | BotRefusal:
        """Let the room's checks look at a text, and store it unless they refuse."""
        judgement = await self._screening.judge(bot, room, text, self._clock())
        refused_by = judgement.refused_by(room.policy, is_bot=True)
        number = 0 if refused_by else await self._screening.store(bot, room, text, judgement)
        where: dict[str, FieldValue] = {"chat.room": room.name}
        if number:
            where["chat.message.number"] = number
        for flag in self._screening.flags(judgement):
            self._reporter.report(_done(BotAction.MESSAGE_FLAGGED, origin, bot, where | flag))
        details = where | {"chat.message.length": len(text)}
        if refused_by:
            return self.refuse(UNWELCOME[refused_by], origin, bot.id, bot.name, details)
        self._reporter.report(_done(BotAction.MESSAGE_RECEIVED, origin, bot, details))
        return Receipt(number)

    async def _let_in(
        self, bot: Bot, origin: BotOrigin, nonce: str | None, lets_pending: bool, signer: BotSecret | None = None
    ) -> Admitted | BotRefusal:
        now = self._clock()
        try:
            verdict = await self._gate.admit(bot.id, origin.address, nonce, now)
        except StoreUnavailable:
            return self.store_away("valkey", origin)
        refusal = refusal_of_verdict(bot.id, verdict) or refusal_of_status(bot, lets_pending=lets_pending)
        if refusal is not None:
            return self.refuse(replace(refusal, quotas=verdict.quotas), origin, bot.id, bot.name)
        self._registry.note_seen(bot.id, now)
        return Admitted(bot, verdict.quotas, signer)

    def _forged(self, claim: Claim, origin: BotOrigin, now: float) -> BotRefusal:
        """Count a signature that is wrong: beyond the limit of its network the answer changes, for no bot."""
        refused = self.refuse(WRONG, origin, claim.bot_id)
        if self._forgeries.is_over(network_of(origin.address), now):
            refused = self.refuse(FORGERIES, origin, claim.bot_id)
        return refused

    def _room_of(self, bot: Bot, name: str) -> Room | BotRefusal:
        """Find a room that a bot may use; one that waits for approval may use none, whatever it asked for."""
        room = self._directory.find(name) if name in bot.rooms else None
        return refusal_of_status(bot) or room or ROOM_NOT_APPROVED


def _done(action: BotAction, origin: BotOrigin, bot: Bot, details: dict[str, FieldValue]) -> Occurrence:
    return bot_occurred(action, origin, bot_id=bot.id, name=bot.name, details=details)


def _refusal_in(room: Room, raw: str, text: str) -> BotRefusal | None:
    limit = room.policy.max_characters
    if room.policy.is_locked:
        return ROOM_LOCKED
    if is_oversized(raw):
        return too_long(limit, len(raw))
    if not text:
        return EMPTY
    return too_long(limit, len(text)) if len(text) > limit else None
