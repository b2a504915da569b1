"""What a running service is given: its connections, its metrics, its health."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeAlias

import asyncpg
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis

from sakimori_common.bus import Bus, Consumer, Subscription
from sakimori_common.health import Health
from sakimori_common.log import SecurityLogger, logger
from sakimori_common.metrics import ConsumerMetrics

Postgres: TypeAlias = "asyncpg.Pool"
"""A pool of connections to PostgreSQL or TimescaleDB."""

Valkey: TypeAlias = Redis
"""A client of Valkey (or Redis) with a connection pool; answers are bytes."""


class Failure:
    """Where a service says that it cannot go on; the runner stops it and exits with status 1."""

    def __init__(self) -> None:
        self._reason: asyncio.Future[BaseException] | None = None
        self._early: BaseException | None = None

    def report(self, reason: BaseException) -> None:
        """Stop the service; only the first reason counts."""
        self._early = self._early or reason
        if self._reason is not None and not self._reason.done():
            self._reason.set_result(self._early)

    async def wait(self) -> BaseException:
        """Wait for a report and return its reason."""
        if self._reason is None:
            self._reason = asyncio.get_running_loop().create_future()
            if self._early is not None:
                self._reason.set_result(self._early)
        return await asyncio.shield(self._reason)


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """The world of one service. In one process the six share bus, database and Valkey, never registry or health."""

    service: str
    bus: Bus
    postgres: Postgres
    valkey: Valkey
    log: structlog.stdlib.BoundLogger
    streams: SecurityLogger
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    health: Health = field(default_factory=Health)
    failure: Failure = field(default_factory=Failure)
    instance: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    """Tells replicas apart in logs and in `observer.name`."""

    @classmethod
    def of(
        cls,
        service: str,
        bus: Bus,
        postgres: Postgres,
        valkey: Valkey,
        failure: Failure | None = None,
        *,
        log_key: SecretStr | None = None,
    ) -> "ServiceContext":
        """Build the context of a service over open connections, with their readiness checks.

        Services of one process share a `failure`: when one cannot go on, all stop.
        """
        context = cls(
            service=service,
            bus=bus,
            postgres=postgres,
            valkey=valkey,
            log=logger(service),
            streams=SecurityLogger(service, log_key.get_secret_value() if log_key else token_hex()),
            failure=failure or Failure(),
        )
        context.health.add("bus", bus.check)
        context.health.add("postgres", lambda: postgres.fetchval("SELECT 1"))
        context.health.add("valkey", valkey.ping)
        return context

    def background(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run work that lasts as long as the service; should it end with an error, so does the service."""
        task = asyncio.create_task(work, name=f"{self.service}-{name}")
        task.add_done_callback(self._report_end)
        return task

    def _report_end(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure.report(error)

    @asynccontextmanager
    async def consuming(self, subscription: Subscription) -> AsyncIterator[None]:
        """Handle a queue until the block ends, then finish what was begun. For the service's one queue: it is counted.

        A consumer that stops by itself is this service's failure.
        """
        consumer = await self.bus.consume(subscription, ConsumerMetrics(self.registry))
        supervision = self.supervise(consumer)
        try:
            yield
        finally:
            supervision.cancel()
            await consumer.drain()

    def supervise(self, consumer: Consumer) -> asyncio.Task[None]:
        """Report a consumer that stops by itself as this service's failure. Cancel the task at the end."""

        async def _watch() -> None:
            self.failure.report(await consumer.failure())

        return asyncio.create_task(_watch(), name=f"{self.service}-supervision")
