"""Where bots register, get new secrets, and where operators decide about them; each step is reported."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sakimori_chat.bots.domain.device import Bot, BotSecret, BotStatus, StatusChange
from sakimori_chat.bots.domain.occurrences import BotAction, BotOrigin, bot_occurred, store_away
from sakimori_chat.bots.domain.refusals import NAME_TAKEN, STORE_AWAY, TOO_MANY_PENDING, BotRefusal, too_often
from sakimori_chat.bots.domain.registration import Applicant
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.ports import BotGate, BotRegistry, NameTaken, Registration, TooManyPending
from sakimori_chat.domain.identity import network_of
from sakimori_chat.ports import Reporter, StoreUnavailable
from sakimori_common.contracts import FieldValue

SECRET_PREFIX: Final = "sbk_"  # noqa: S105  # what secret scanners may look for
_SECRET_BYTES: Final = 32
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class OfficeRules:
    """How often bots may come to the office within an hour, and how long a secret lives on beside its successor."""

    overlap_seconds: float = 86_400.0
    registrations_of_address: int = 5
    registrations_in_all: int = 60
    rotations_of_bot: int = 5


@dataclass(frozen=True, slots=True)
class Issued:
    """A bot and its new secret, shown this once; until when the one before it is good, where there is one."""

    bot: Bot
    secret: str = field(repr=False)
    previous_expires_at: float | None = None


class BotOffice:
    """Registers bots and changes them. What operators ask for raises StoreUnavailable; what bots ask for is refused."""

    def __init__(
        self,
        *,
        registry: BotRegistry,
        gate: BotGate,
        reporter: Reporter,
        metrics: BotMetrics,
        rules: OfficeRules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._gate = gate
        self._reporter = reporter
        self._metrics = metrics
        self._rules = rules
        self._clock = clock

    async def register(self, applicant: Applicant, origin: BotOrigin) -> Issued | BotRefusal:
        """Take a bot in, pending, with its first secret."""
        try:
            outcome = await self._registered(applicant, origin)
        except StoreUnavailable:
            return self._store_away(origin)
        if isinstance(outcome, BotRefusal):
            return self.refuse(outcome, origin)
        self._report(BotAction.REGISTERED, origin, outcome.bot, {"bot.rooms": ",".join(sorted(outcome.bot.rooms))})
        return outcome

    async def renew(self, bot: Bot, signer: BotSecret, origin: BotOrigin) -> Issued | BotRefusal:
        """Give a bot that asks for it a new secret; the one that it signed with lives on for the overlap."""
        try:
            wait = await self._gate.take(f"rotate:{bot.id}", self._rules.rotations_of_bot, _HOUR)
            if wait:
                return self.refuse(too_often("secrets", wait), origin, bot)
            issued = await self._rotated(bot, signer, "bot")
        except StoreUnavailable:
            return self._store_away(origin)
        self._report(BotAction.SECRET_ROTATED, origin, bot, {"bot.changed_by": "bot"})
        return issued

    async def rotate(self, bot_id: str, by: str, *, at_once: bool = False, trace_id: str = "") -> Issued | None:
        """Give a bot a new secret as an operator; `at_once` ends the old ones now. None: no such bot."""
        bot = self._registry.find(bot_id)
        if bot is None:
            return None
        newest = bot.secrets[0] if bot.secrets and not at_once else None
        issued = await self._rotated(bot, newest, by)
        self._report(BotAction.SECRET_ROTATED, BotOrigin(trace_id, "", transport=""), bot, {"bot.changed_by": by})
        return issued

    async def change(
        self, bot_id: str, status: BotStatus, by: str, reason: str = "", *, trace_id: str = ""
    ) -> Bot | None:
        """Approve, deny, revoke, block a bot; None: no such bot. Raises NotAllowed, NameTaken."""
        bot = await self._registry.set_status(bot_id, status, by, reason[:200])
        if bot is not None:
            details: dict[str, FieldValue] = {"bot.status": status.value, "bot.changed_by": by}
            self._report(BotAction.STATUS_CHANGED, BotOrigin(trace_id, "", transport=""), bot, details)
        return bot

    async def set_rooms(self, bot_id: str, rooms: frozenset[str], by: str, *, trace_id: str = "") -> Bot | None:
        """Say which rooms a bot may use; None: no such bot."""
        bot = await self._registry.set_rooms(bot_id, rooms, by)
        if bot is not None:
            details: dict[str, FieldValue] = {"bot.rooms": ",".join(sorted(rooms)), "bot.changed_by": by}
            self._report(BotAction.STATUS_CHANGED, BotOrigin(trace_id, "", transport=""), bot, details)
        return bot

    def bots(self) -> Sequence[Bot]:
        """List all bots, those that wait first."""
        return self._registry.all()

    async def record(self, bot_id: str) -> Sequence[StatusChange]:
        """Read what became of a bot, oldest first."""
        return await self._registry.record(bot_id)

    def refuse(self, refusal: BotRefusal, origin: BotOrigin, bot: Bot | None = None) -> BotRefusal:
        """Report a refusal, and return it."""
        self._metrics.count_refusal(refusal)
        if refusal.action is not None:
            self._report(refusal.action, origin, bot, refusal.fields(), refusal.words)
        return refusal

    async def _registered(self, applicant: Applicant, origin: BotOrigin) -> Issued | BotRefusal:
        network, rules = network_of(origin.address), self._rules
        wait = await self._gate.take(f"register:{network}", rules.registrations_of_address, _HOUR)
        wait = wait or await self._gate.take("register", rules.registrations_in_all, _HOUR)
        if wait:
            return too_often("registrations", wait)
        secret = new_secret()
        bot_id = f"bot-{secrets.token_hex(8)}"
        parts = (applicant.name, applicant.look, applicant.rooms, applicant.contact)
        try:
            bot = await self._registry.register(Registration(bot_id, *parts, secret.encode()))
        except NameTaken:
            return NAME_TAKEN
        except TooManyPending:
            return TOO_MANY_PENDING
        return Issued(bot, secret)

    async def _rotated(self, bot: Bot, kept: BotSecret | None, by: str) -> Issued:
        secret, ends_at = new_secret(), float(int(self._clock() + self._rules.overlap_seconds))
        if kept is not None and kept.expires_at is not None:
            ends_at = min(ends_at, kept.expires_at)
        staying = None if kept is None else BotSecret(kept.key, ends_at)
        changed = await self._registry.rotate(bot.id, BotSecret(secret.encode()), staying, by)
        return Issued(changed or bot, secret, ends_at if staying else None)

    def _store_away(self, origin: BotOrigin) -> BotRefusal:
        self._reporter.report(store_away("office", origin))
        return STORE_AWAY

    def _report(
        self,
        action: BotAction,
        origin: BotOrigin,
        bot: Bot | None,
        details: dict[str, FieldValue],
        words: str = "",
    ) -> None:
        known = {} if bot is None else {"bot_id": bot.id, "name": bot.name}
        self._reporter.report(bot_occurred(action, origin, details=details, reason=words, **known))


def new_secret() -> str:
    """Make a secret: `sbk_` and 43 characters of 256 random bits."""
    return SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
