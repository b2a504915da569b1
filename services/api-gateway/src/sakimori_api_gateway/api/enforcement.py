"""Keeps the blocklist true and operators' decisions published."""

import asyncio

import structlog

from sakimori_api_gateway.domain.blocklist import Blocklist
from sakimori_api_gateway.domain.records import RecordedDecision
from sakimori_api_gateway.metrics import GatewayMetrics
from sakimori_api_gateway.ports import Clock, DecisionStore
from sakimori_common.bus import Bus, BusUnavailable, Message, Topic, Unavailable
from sakimori_common.contracts import DECISIONS, SCHEMA_VERSION, Decision

_PUBLISH_SECONDS = 3.0


class Enforcement:
    """What is locked out now, from the database, from the bus and from this gateway's operators."""

    def __init__(
        self,
        *,
        blocklist: Blocklist,
        decisions: DecisionStore,
        bus: Bus,
        clock: Clock,
        metrics: GatewayMetrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._blocklist = blocklist
        self._decisions = decisions
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def remaining_seconds(self, address: str) -> int | None:
        """Tell how long an address stays locked out; None when it is not."""
        return self._blocklist.remaining_seconds(address, self._clock())

    def hear(self, decision: Decision) -> None:
        """Enforce a decision from now on."""
        self._blocklist.hear(decision, self._clock())
        self._metrics.blocked_addresses.set(len(self._blocklist))

    async def publish(self, decision: RecordedDecision) -> bool:
        """Hand a stored decision to the bus; False when the bus is away, and `keep_true` will try again."""
        self.hear(decision)
        body = DECISIONS.encode([bare(decision)])
        message = Message(decision.id, body, {"schema": SCHEMA_VERSION, "source": "api-gateway"})
        try:
            async with asyncio.timeout(_PUBLISH_SECONDS):
                await self._bus.publish(Topic.DECISIONS, message)
            await self._decisions.mark_published(decision.id)
        except (BusUnavailable, TimeoutError, Unavailable):
            return False
        return True

    async def refresh(self) -> None:
        """Read the active blocks from the database and publish what is not published. Raises Unavailable."""
        read_at = self._clock()
        self._blocklist.replace(await self._decisions.active("source.ip"), read_at)
        self._metrics.blocked_addresses.set(len(self._blocklist))
        for decision in await self._decisions.unpublished():
            if not await self.publish(decision):
                break

    async def keep_true(self, every_seconds: float) -> None:
        """Refresh for ever; a database that is away leaves the blocklist as it is."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.refresh()
            except Unavailable as error:
                self._log.warning("blocklist_not_refreshed", reason=str(error))


def bare(decision: RecordedDecision) -> Decision:
    """Strip what only the gateway keeps: the bus carries the contract."""
    return Decision(**{name: getattr(decision, name) for name in Decision.__struct_fields__})
