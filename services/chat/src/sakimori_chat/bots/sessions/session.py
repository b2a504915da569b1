"""One session that is open: what comes is checked and done in turn, what is new goes out, until something ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sakimori_chat.bots.domain.device import Bot, BotStatus
from sakimori_chat.bots.domain.endings import WORDS, Ending, ending_of_status, refusal_of_frame
from sakimori_chat.bots.domain.frames import Body, Ping, Pong, Post, Read, frame
from sakimori_chat.bots.domain.occurrences import BotOrigin
from sakimori_chat.bots.domain.refusals import BotRefusal
from sakimori_chat.bots.domain.session import Fault, Phase, Session
from sakimori_chat.bots.domain.signature import MalformedClaim, signer_of, tag_of
from sakimori_chat.bots.intake import Admitted, BotDoor, Receipt
from sakimori_chat.bots.sessions.delivery import Delivery, Overflow
from sakimori_chat.bots.sessions.pace import Pace
from sakimori_chat.bots.sessions.ports import RoomNews
from sakimori_chat.bots.sessions.pulse import Pulse
from sakimori_chat.bots.sessions.wire import Wire, WireClosed
from sakimori_chat.bots.sessions.workload import Job, Owner, Workload
from sakimori_chat.domain.messages import Page
from sakimori_chat.ports import StoreUnavailable

Work = Callable[[], Awaitable[None]]
JOB_SECONDS: Final = 10.0
"""Longest work on one frame; the stores answer, or are given up, within one or two."""
LAST_WORD_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """What a session's patience is, in seconds."""

    lifetime: float = 3600.0
    ping_interval: float = 30.0
    ping_timeout: float = 90.0
    read: float = 600.0
    send: float = 30.0


class LiveSession:
    """A bot that is connected. `run` returns when it is over, whoever ended it."""

    def __init__(
        self,
        *,
        bot: Bot,
        session: Session,
        wire: Wire,
        origin: BotOrigin,
        door: BotDoor,
        news: RoomNews,
        workload: Workload,
        pulse: Pulse,
        times: SessionTimes,
        now: float,
    ) -> None:
        self.bot = bot
        self.origin = origin
        self.pulse = pulse
        self._session = session
        self._wire = wire
        self._door = door
        self.delivery = Delivery(news, self._send)
        self._workload = workload
        self._owner: Owner = workload.owner()
        self._pace = Pace()
        self._times = times
        self._expires_at = now + times.lifetime
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def id(self) -> str:
        """Name the session."""
        return self._session.id

    async def run(self) -> str:
        """Serve until it is over; the reason, an Ending or the code of a fault. Closes the connection."""
        tasks = [self._task(self._reading()), self._task(self._writing())]
        try:
            ends: set[asyncio.Future[Any]] = {*tasks, self._over}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._session.closed()
            self.delivery.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            code = self._over.result() if self._over.done() else Ending.LEFT
            await self._last_word(code)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return code

    def end(self, code: str) -> None:
        """End the session for this reason; only the first counts."""
        if not self._over.done():
            self._over.set_result(code)

    def tell(self, kind: str, **fields: Any) -> None:
        """Send a frame; a session that holds too many already ends."""
        if self._session.phase is Phase.CLOSED:
            return
        try:
            self.delivery.answer(frame(kind, **fields))
        except Overflow:
            self.end(Ending.TOO_SLOW)

    def tick(self, now: float) -> None:
        """Ping when it is time; end when it is too late. `now` is of the sessions' clock."""
        if self._over.done():
            return
        if now >= self._expires_at:
            self.end(Ending.EXPIRED)
        elif self.pulse.is_lost(now):
            self.pulse.missed()
            self.end(Ending.PING_TIMEOUT)
        elif (number := self.pulse.next_ping(now)) is not None:
            self.tell("ping", id=number)

    async def changed(self, bot: Bot | None) -> None:
        """Take note of what became of the bot, tell it, and end when it may not stay. Raises StoreUnavailable."""
        before, ending = self.bot, Ending.UNREGISTERED if bot is None else ending_of_status(bot.status)
        if ending is not None or bot is None:
            self.end(ending or Ending.UNREGISTERED)
            return
        if bot.status is not before.status or bot.rooms != before.rooms:
            await self.delivery.follow(bot.rooms if bot.status is BotStatus.APPROVED else ())
            self.bot = bot
            self.tell("status", status=bot.status, rooms=self.delivery.numbers)
        self.bot = bot

    async def _reading(self) -> None:
        while self._session.phase is Phase.OPEN:
            try:
                async with asyncio.timeout(self._times.read):
                    got = await self._wire.receive(self._session.max_bytes)
            except TimeoutError:
                return self.end(Ending.READ_TIMEOUT)
            if got is None:
                return self.end(Ending.LEFT)
            step = got if isinstance(got, Fault) else self._session.feed(got, self._is_signed)
            await self._take(step)
            with self.pulse.held_up():
                # Even where it is 0: others are to be served, too, whatever this one has sent already.
                await asyncio.sleep(self._pace.delay(asyncio.get_running_loop().time()))
        return None

    async def _take(self, step: Body | Fault) -> None:
        match step:
            case Fault():
                self._refuse_frame(step)
            case Post():
                await self._submit(step.room, step.ref, lambda: self._post(step))
            case Read():
                await self._submit(step.room, step.ref, lambda: self._read(step))
            case Ping():
                self.tell("pong", ref=step.ref)
            case Pong():
                self.pulse.answered(step)

    async def _submit(self, room: str, ref: str, work: Work) -> None:
        with self.pulse.held_up():
            is_taken = await self._workload.submit(self._owner, room, self._job(ref, work))
        if not is_taken:
            self.tell("refused", ref=ref, code="busy", detail="This server has too much to do.", block_sec=1)

    def _job(self, ref: str, work: Work) -> Job:
        async def job() -> None:
            try:
                async with asyncio.timeout(JOB_SECONDS):
                    await work()
            except TimeoutError:
                self.tell("refused", ref=ref, code="timeout", detail="That took too long.", block_sec=1)

        return job

    async def _post(self, post: Post) -> None:
        admitted = await self._door.admit(self.bot.id, self.origin)
        if isinstance(admitted, Admitted):
            outcome = await self._door.receive(admitted, post.room, post.text, self.origin)
            if isinstance(outcome, Receipt):
                return self.tell("posted", ref=post.ref, room=post.room, id=outcome.number)
            admitted = outcome
        return self._refused(post.ref, admitted)

    async def _read(self, read: Read) -> None:
        admitted = await self._door.admit(self.bot.id, self.origin)
        if isinstance(admitted, Admitted):
            outcome = await self._door.read(admitted, read.room, read.after, read.limit, self.origin)
            if isinstance(outcome, Page):
                return self.tell("page", ref=read.ref, room=read.room, **_fields_of(outcome))
            admitted = outcome
        return self._refused(read.ref, admitted)

    def _refused(self, ref: str, refusal: BotRefusal) -> None:
        wait = refusal.retry_seconds or None
        self.tell("refused", ref=ref, code=refusal.code, detail=refusal.detail, block_sec=wait)

    def _refuse_frame(self, fault: Fault) -> None:
        refusal = self._door.refuse(refusal_of_frame(fault), self.origin, self.bot.id, self.bot.name)
        if fault.ends:
            self._session.closed()
            self.end(fault.code)
        else:
            self._refused("", refusal)

    def _is_signed(self, text: bytes, signature: str) -> bool:
        bot = self.bot
        with suppress(StoreUnavailable):  # then by the secrets known last; what the frame asks for is refused later on
            bot = self._door.find(bot.id) or bot
        try:
            return signer_of(text, tag_of(signature), bot.secrets, self.pulse.wall()) is not None
        except MalformedClaim:
            return False

    async def _writing(self) -> None:
        with suppress(WireClosed):
            await self.delivery.run()
        self.end(Ending.LEFT)

    async def _send(self, content: bytes) -> None:
        """Send a frame now; a bot that does not take it in time is too slow. Raises WireClosed."""
        try:
            async with asyncio.timeout(self._times.send):
                await self._wire.send(content)
        except TimeoutError:
            self.end(Ending.TOO_SLOW)
            raise WireClosed from None

    async def _last_word(self, code: str) -> None:
        detail = WORDS[Ending(code)] if code in set(Ending) else "A frame was refused."
        if code != Ending.LEFT:
            with suppress(WireClosed, TimeoutError):
                async with asyncio.timeout(LAST_WORD_SECONDS):
                    await self.delivery.finish()
                    await self._wire.send(frame("closing", code=code, detail=detail))
        await self._wire.close(code)

    def _task(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return asyncio.create_task(work, name=f"bot-session-{self.bot.id}")


def _fields_of(page: Page) -> dict[str, Any]:
    return {
        "messages": page.messages,
        "next": page.next,
        "has_more": page.has_more,
        "reset": page.reset,
        "deleted": page.deleted,
    }
