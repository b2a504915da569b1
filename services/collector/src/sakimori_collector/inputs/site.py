"""What every listening input is given."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import count
from typing import Final

import structlog

from sakimori_collector.domain.format import Reference
from sakimori_collector.domain.wire.peers import Peers, Rates
from sakimori_collector.domain.wire.received import Received
from sakimori_collector.intake import Intake
from sakimori_collector.metrics import CollectorMetrics

HALF_MESSAGE_SECONDS: Final = 60.0
"""A message that has begun must end by then: a connection that trickles holds a place."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may cost."""

    message_bytes: int = 65_536
    connections: int = 1000
    idle_seconds: float = 3600.0
    half_message_seconds: float = HALF_MESSAGE_SECONDS
    buffer_bytes: int = 8 << 20
    """Asked of the kernel for datagrams that wait; net.core.rmem_max bounds it."""


@dataclass(frozen=True, slots=True)
class Site:
    """The collector as listening inputs know it; `clock` in microseconds since the epoch."""

    intake: Intake
    metrics: CollectorMetrics
    log: structlog.stdlib.BoundLogger
    instance: str
    zone: tzinfo
    peers: Peers
    rates: Rates
    limits: Limits = Limits()
    clock: Callable[[], int] = lambda: time.time_ns() // 1000
    boot: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Tells this process from those before it, since places begin anew with each."""
    places: Iterator[int] = field(default_factory=count)
    """Numbers every line that comes to any of the inputs."""

    def received(
        self, name: str, kind: str, format: str, *, peers: Mapping[int, str], faults: Mapping[int, str]
    ) -> Received:
        """Make the source of some lines that came to an input of a kind, under the name they are counted by."""
        return Received(
            name=name,
            identity=f"{kind}:{self.instance}:{self.boot}",
            format=format,
            reference=Reference(self.clock(), self.zone),
            stamp={"observer.name": self.instance, "sakimori.input": kind, "sakimori.source": name},
            peers=peers,
            faults=faults,
        )
