"""Logins as events, so that an attack on the console is detected like any other."""

import asyncio
from collections import deque
from contextlib import suppress

from sakimori_api_gateway.metrics import GatewayMetrics
from sakimori_common.bus import BusUnavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.contracts import Event
from sakimori_common.ids import random_event_id

_CAPACITY = 10_000
_BATCH = 200
_PAUSE_SECONDS = 1.0
_LAST_TRY_SECONDS = 3.0


class LoginEvents:
    """Publish login events in the background: nobody waits for the bus to log in.

    While the bus is away up to 10,000 are kept in memory; beyond that the oldest are given up and counted.
    """

    def __init__(self, publisher: EventPublisher, metrics: GatewayMetrics, instance: str) -> None:
        self._publisher = publisher
        self._metrics = metrics
        self._instance = instance
        self._waiting: deque[Event] = deque()
        self._something = asyncio.Event()

    def note(self, *, time: int, outcome: str, address: str, user: str, user_agent: str, reason: str) -> None:
        """Take note of a login; `outcome` is success or failure, `time` in microseconds since the epoch."""
        fields = {
            "event.category": "authentication",
            "event.action": "console_login",
            "event.outcome": outcome,
            "event.reason": reason,
            "source.ip": address,
            "user.name": user,
            "user_agent.original": user_agent,
            "sakimori.auth.method": "password",
            "observer.name": self._instance,
        }
        present = {name: value for name, value in fields.items() if value}
        if len(self._waiting) >= _CAPACITY:
            self._waiting.popleft()
            self._metrics.login_events_lost_total.inc()
        self._waiting.append(Event(random_event_id(time), time, "gateway.auth", dict(present)))
        self._something.set()

    async def run(self) -> None:
        """Publish what is noted, for as long as it takes. Cancel it at the end, then call `drain`."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                try:
                    await self._publish_some()
                except BusUnavailable:
                    await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Publish what is left, trying for some seconds; what then remains is counted as lost."""
        with suppress(BusUnavailable, TimeoutError):
            async with asyncio.timeout(_LAST_TRY_SECONDS):
                while self._waiting:
                    await self._publish_some()
        self._metrics.login_events_lost_total.inc(len(self._waiting))

    async def _publish_some(self) -> None:
        batch = [self._waiting[place] for place in range(min(_BATCH, len(self._waiting)))]
        await self._publisher.publish(batch)
        for event in batch:
            # The oldest may have been given up meanwhile, so what was sent is not always what is first.
            if self._waiting and self._waiting[0] is event:
                self._waiting.popleft()
