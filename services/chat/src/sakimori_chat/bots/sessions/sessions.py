"""All sessions of this replica: one a bot, so many in all, none longer than its bot is welcome."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Final

from sakimori_chat.bots.domain.device import Bot, BotStatus
from sakimori_chat.bots.domain.endings import STOPPING, TOO_MANY_CONNECTIONS, WORDS, Ending
from sakimori_chat.bots.domain.frames import MAX_FRAME_BYTES, frame
from sakimori_chat.bots.domain.occurrences import BotAction, BotOrigin, bot_occurred
from sakimori_chat.bots.domain.refusals import STATUS, BotRefusal
from sakimori_chat.bots.domain.session import Session
from sakimori_chat.bots.intake import Admitted, BotDoor
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.sessions.ports import Heartbeats, Presence, RoomNews, SessionClaims
from sakimori_chat.bots.sessions.pulse import Pulse
from sakimori_chat.bots.sessions.reception import MAX_HANDSHAKES, Left, Reception
from sakimori_chat.bots.sessions.records import Records
from sakimori_chat.bots.sessions.session import LiveSession, SessionTimes
from sakimori_chat.bots.sessions.wire import Wire, WireClosed
from sakimori_chat.bots.sessions.workload import Workload
from sakimori_chat.ports import Reporter, StoreUnavailable
from sakimori_common.tasks import Background, end_tasks

WATCH_SECONDS: Final = 1.0
"""How often sessions are looked after: pings, ends, what the registry and the other replicas say."""
FAREWELL_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many sessions there may be, how long a handshake may take, and the end of what bots asked for."""

    connections: int = 100
    handshake_seconds: float = 10.0
    drain_seconds: float = 10.0


class BotSessions:
    """Serves bots that stay connected."""

    def __init__(
        self,
        *,
        door: BotDoor,
        claims: SessionClaims,
        heartbeats: Heartbeats,
        news: RoomNews,
        workload: Workload,
        note_seen: Callable[[str, float], None],
        reporter: Reporter,
        metrics: BotMetrics,
        times: SessionTimes,
        limits: SessionLimits,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._door = door
        self._claims = claims
        self._news = news
        self._workload = workload
        self._note_seen = note_seen
        self._reporter = reporter
        self._metrics = metrics
        self._times = times
        self._limits = limits
        self._clock = clock
        self._wall = wall
        self._random = SystemRandom()
        self._reception = Reception(door, claims, limits.handshake_seconds)
        self._records = Records(heartbeats, wall)
        self._live: dict[str, LiveSession] = {}
        self._serving: set[asyncio.Task[Any]] = set()
        self._claiming = asyncio.Lock()
        self._wake = asyncio.Event()
        self._is_stopping = False

    @property
    def is_crowded(self) -> bool:
        """Whether so many connections are there, saying goodbye or nothing, that another is cut without a word."""
        return len(self._serving) >= self._limits.connections + 2 * MAX_HANDSHAKES

    async def serve(self, wire: Wire, origin: BotOrigin) -> None:
        """Serve one connection until it is over, and close it."""
        with self._noted(origin.transport):
            live = await self._opened(wire, origin)
            if live is not None:
                await self._run(live)

    def changed(self, bot: Bot) -> None:
        """Take note of a bot that an operator changed, so that its session learns of it now."""
        if bot.id in self._live:
            self._wake.set()

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Look after the sessions until the block ends; then let them finish what they began, and close them."""
        watching = background(self._watch(), "bot-sessions")
        recording = background(self._records.run(), "bot-records")
        try:
            yield
        finally:
            await self._farewell()
            await end_tasks(watching, recording)
            await self._records.flush()

    async def _opened(self, wire: Wire, origin: BotOrigin) -> LiveSession | None:
        session = Session()
        try:
            welcome: Admitted | LiveSession | BotRefusal = STOPPING
            if not self._is_stopping:
                welcome = await self._reception.welcome(wire, session, origin)
            if isinstance(welcome, Admitted):
                welcome = await self._begun(welcome.bot, session, wire, origin)
            if isinstance(welcome, LiveSession):
                return welcome
            await self._turn_away(wire, welcome)
        except (Left, WireClosed):
            await wire.close(Ending.LEFT)
        return None

    async def _begun(self, bot: Bot, session: Session, wire: Wire, origin: BotOrigin) -> LiveSession | BotRefusal:
        if len(self._live) >= self._limits.connections and bot.id not in self._live:
            return self._door.refuse(TOO_MANY_CONNECTIONS, origin, bot.id, bot.name)
        session.opened(str(uuid.uuid4()))
        live = self._session(bot, session, wire, origin)
        try:
            if bot.status is BotStatus.APPROVED:
                await live.delivery.follow(bot.rooms)
            await self._claim(live)
        except StoreUnavailable:
            live.delivery.close()
            return self._door.store_away("valkey", origin)
        live.tell("handshake_complete", **self._greeting(live))
        return live

    async def _claim(self, live: LiveSession) -> None:
        """Take a bot over from its older session, wherever that is. One at a time: both sides see the same order."""
        async with self._claiming:
            await self._claims.claim(live.bot.id, live.id)
            if (older := self._live.get(live.bot.id)) is not None:
                older.end(Ending.REPLACED)
            self._live[live.bot.id] = live

    def _session(self, bot: Bot, session: Session, wire: Wire, origin: BotOrigin) -> LiveSession:
        pulse = Pulse(
            bot.id,
            clock=self._clock,
            wall=self._wall,
            interval=self._times.ping_interval,
            timeout=self._times.ping_timeout,
            first_seconds=self._random.uniform(0, self._times.ping_interval),
        )
        return LiveSession(
            bot=bot,
            session=session,
            wire=wire,
            origin=origin,
            door=self._door,
            news=self._news,
            workload=self._workload,
            pulse=pulse,
            times=self._times,
            now=self._clock(),
        )

    def _greeting(self, live: LiveSession) -> dict[str, Any]:
        is_approved = live.bot.status is BotStatus.APPROVED
        return {
            "success": True,
            "approved": is_approved,
            "message": "Welcome." if is_approved else STATUS[live.bot.status],
            "session": live.id,
            "rooms": live.delivery.numbers,
            "expires_seconds": int(self._times.lifetime),
            "ping_seconds": int(self._times.ping_interval),
            "max_frame_bytes": MAX_FRAME_BYTES,
        }

    async def _turn_away(self, wire: Wire, refusal: BotRefusal) -> None:
        fields = {"success": False, "approved": False, "message": refusal.detail, "code": refusal.code}
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await wire.send(frame("handshake_complete", **fields, block_sec=refusal.retry_seconds or None))
        await wire.close(refusal.code)

    async def _run(self, live: LiveSession) -> None:
        bot, presence = live.bot, Presence(live.bot.id, live.id, live.origin.transport, self._wall())
        self._records.opened(presence)
        self._reporter.report(bot_occurred(BotAction.CONNECTED, live.origin, bot_id=bot.id, name=bot.name))
        code = "internal_error"
        try:
            code = await live.run()
        finally:
            if self._live.get(bot.id) is live:
                del self._live[bot.id]
            self._note(live)
            self._records.closed(presence, code)
            left = bot_occurred(
                BotAction.DISCONNECTED, live.origin, bot_id=bot.id, name=bot.name, details={"bot.reason": str(code)}
            )
            self._reporter.report(left)
            with suppress(StoreUnavailable):
                await self._claims.release(bot.id, live.id)

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            await self._look_after()

    async def _look_after(self) -> None:
        now, sessions = self._clock(), list(self._live.values())
        for live in sessions:
            live.tick(now)
            self._note(live)
            await self._compare(live)
        if sessions:
            with suppress(StoreUnavailable):
                await self._ask_others(sessions)

    async def _ask_others(self, sessions: list[LiveSession]) -> None:
        """End the sessions that other replicas took over, and those from addresses that a decision blocks."""
        lost = await self._claims.renew({live.bot.id: live.id for live in sessions})
        blocked = await self._claims.blocked({live.origin.address for live in sessions})
        for live in sessions:
            if live.bot.id in lost:
                live.end(Ending.REPLACED)
            elif live.origin.address in blocked:
                live.end(Ending.ADDRESS_BLOCKED)

    async def _compare(self, live: LiveSession) -> None:
        """See what became of a bot. While nobody can tell, it stays connected and gets nothing to read."""
        try:
            await live.changed(self._door.find(live.bot.id))
            live.delivery.hold(is_held=False)
        except StoreUnavailable:
            live.delivery.hold(is_held=True)

    def _note(self, live: LiveSession) -> None:
        beats = live.pulse.take()
        self._records.heard(beats)
        for beat in beats:
            if beat.rtt_seconds is not None:
                self._note_seen(beat.bot_id, beat.at)

    async def _farewell(self) -> None:
        self._is_stopping = True
        for live in self._live.values():
            live.tell("server_shutdown", message=WORDS[Ending.SHUTDOWN], seconds=int(self._limits.drain_seconds))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_seconds):
                await self._workload.idle()
        for live in list(self._live.values()):
            live.end(Ending.SHUTDOWN)
        if self._serving:
            await asyncio.wait(set(self._serving), timeout=FAREWELL_SECONDS)
        for task in self._serving:
            task.cancel()

    @contextmanager
    def _noted(self, transport: str) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # whatever serves a connection runs as a task
        gauge = self._metrics.active_connections.labels(transport)
        self._serving.add(task)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()
            self._serving.discard(task)
