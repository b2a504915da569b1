"""The collector's HTTP port alone, in a process of its own: nobody stores, and the quarantine keeps nothing.

python -m bench.collector.server [bare]      says `ready`; ends when its standard input does

Settings as the collector's own, from the environment. `bare`: without masking and enrichment, which are on by default.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from sakimori_collector.api.port import HttpPort
from sakimori_collector.api.reception import Reception
from sakimori_collector.domain.enrichment.enrichment import Enrichment
from sakimori_collector.domain.enrichment.networks import Networks
from sakimori_collector.domain.enrichment.user_agents import UserAgents
from sakimori_collector.domain.reading import Rejected
from sakimori_collector.domain.wire.posters import Poster
from sakimori_collector.inputs.http import HttpInput
from sakimori_collector.intake import Intake, Treatment
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.settings import CollectorSettings
from sakimori_collector.treatment import treatment_of
from sakimori_common.bus import Bus, Message, Queue, Subscription, open_bus
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.log import SecurityLogger, configure_logging, logger
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.runtime import calm_garbage_collector, new_runner
from sakimori_common.settings import exit_on_bad_settings


class OneToken:
    """Posters of which there is one."""

    def __init__(self, token: str) -> None:
        self._token = token

    def find(self, token: str) -> Poster | None:
        """See Posters."""
        return Poster("http") if token == self._token else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """See Posters."""
        yield


class NoQuarantine:
    """Rejected lines are none here."""

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """End the run: made-up lines are all read."""
        raise SystemExit(f"rejected: {lines[0].reason}")


async def serve(*, is_bare: bool) -> int:
    """Serve until standard input ends."""
    settings = exit_on_bad_settings(CollectorSettings)
    configure_logging("ERROR")
    bus_url = settings.bus_url.get_secret_value()
    bus = await open_bus(bus_url, service="collector")
    await _settle_at_once(bus, bus_url)
    registry = CollectorRegistry()
    metrics, log = CollectorMetrics(registry), logger("collector")
    enrichment = Enrichment([Networks([]).facts], UserAgents().facts)
    treatment = Treatment() if is_bare else treatment_of(settings, enrichment.change)
    publisher = EventPublisher(bus, "collector", PublisherMetrics(registry))
    intake = Intake(publisher, NoQuarantine(), metrics, treatment)
    posters = OneToken(settings.ingest_token.get_secret_value())
    reception = Reception(settings=settings, posters=posters, intake=intake, metrics=metrics, log=log, instance="bench")
    port = HttpPort(settings, posters, [HttpInput(reception)], SecurityLogger("collector", "bench"), log)
    async with port.running():
        print("ready", flush=True)
        calm_garbage_collector()
        await asyncio.to_thread(sys.stdin.read)
    await bus.close()
    return 0


async def _settle_at_once(bus: Bus, bus_url: str) -> None:
    """Consume what the memory bus would wait for; RabbitMQ confirms by itself."""
    if not bus_url.startswith("memory"):
        return

    async def nothing(messages: Sequence[Message]) -> None:
        pass

    for queue in (Queue.STORE, Queue.DETECT):
        await bus.consume(Subscription(queue, nothing))


if __name__ == "__main__":
    sys.exit(new_runner(serve(is_bare="bare" in sys.argv[1:])))
