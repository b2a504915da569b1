"""Carries notices from the outbox to their channels until each is delivered or dead."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from sakimori_common.bus import Bus, BusUnavailable, Message, Queue, Unavailable
from sakimori_common.contracts import FINDINGS, SCHEMA_VERSION
from sakimori_common.ids import stable_id
from sakimori_notifier.domain.backoff import wait_seconds
from sakimori_notifier.metrics import NotifierMetrics
from sakimori_notifier.ports import CHANNEL_HEADER, Channel, Delivery, DeliveryFailed, DeliveryRefused, Outbox

LEASE_SECONDS = 60.0
"""A courier that dies leaves its deliveries to others after this; longer than any channel's time-out."""
IDLE_SECONDS = 0.5
"""How often an empty outbox is looked into for what other replicas put there and what was postponed."""
BATCH = 20


class Courier:
    """One loop over the outbox; replicas share the work."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        bus: Bus,
        *,
        attempts: int,
        retry_seconds: float,
        metrics: NotifierMetrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._outbox = outbox
        self._channels = {channel.name: channel for channel in channels}
        self._bus = bus
        self._attempts = attempts
        self._retry_seconds = retry_seconds
        self._metrics = metrics
        self._log = log
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look into the outbox now: something was put there by this process."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver what is due, for ever; cancel to stop (what is half done is taken up again after its lease)."""
        while True:
            self._woken.clear()
            try:
                due = await self._outbox.due(BATCH, LEASE_SECONDS)
                await asyncio.gather(*(self._deliver(delivery) for delivery in due))
            except Unavailable as error:
                self._log.warning("outbox_unavailable", reason=str(error))
                due = []
                await asyncio.sleep(1.0)
            if not due:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), IDLE_SECONDS)

    async def _deliver(self, delivery: Delivery) -> None:
        channel = self._channels.get(delivery.channel)
        started = time.perf_counter()
        try:
            if channel is None:
                raise DeliveryRefused("the channel is not configured any more")
            await channel.send(delivery.finding)
        except DeliveryRefused as error:
            await self._give_up(delivery, str(error))
        except DeliveryFailed as error:
            await self._try_again(delivery, error)
        else:
            self._metrics.delivery_seconds.labels(delivery.channel).observe(time.perf_counter() - started)
            self._metrics.deliveries_total.labels(delivery.channel, "sent").inc()
            await self._outbox.delivered(delivery)

    async def _try_again(self, delivery: Delivery, error: DeliveryFailed) -> None:
        if delivery.attempt >= self._attempts:
            await self._give_up(delivery, f"{error}; tried {delivery.attempt} times")
            return
        seconds = wait_seconds(delivery.attempt, self._retry_seconds, error.retry_after_seconds)
        self._metrics.deliveries_total.labels(delivery.channel, "failed").inc()
        self._log.warning(
            "delivery_postponed",
            channel=delivery.channel,
            finding=delivery.finding.id,
            attempt=delivery.attempt,
            reason=str(error),
            wait_seconds=seconds,
        )
        await self._outbox.postpone(delivery, str(error), seconds)

    async def _give_up(self, delivery: Delivery, reason: str) -> None:
        """Bury first, settle then: a crash in between buries the same message id again."""
        message = Message(
            id=stable_id("delivery", str(delivery.id)),
            body=FINDINGS.encode([delivery.finding]),
            headers={"schema": SCHEMA_VERSION, "source": "notifier", CHANNEL_HEADER: delivery.channel},
        )
        try:
            await self._bus.bury(Queue.NOTIFY, message, f"{delivery.channel}: {reason}")
        except BusUnavailable:
            await self._outbox.postpone(delivery, reason, self._retry_seconds)
            return
        self._metrics.deliveries_total.labels(delivery.channel, "dead").inc()
        self._log.error("delivery_dead", channel=delivery.channel, finding=delivery.finding.id, reason=reason)
        await self._outbox.give_up(delivery, reason)
