"""What the kernel drops is known."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC

from prometheus_client import CollectorRegistry

from sakimori_collector.domain.reading import Rejected
from sakimori_collector.domain.wire.listening import Listener
from sakimori_collector.domain.wire.peers import Peer, Peers, Rates, parse_networks
from sakimori_collector.inputs.datagrams import DatagramPort
from sakimori_collector.inputs.site import Limits, Site
from sakimori_collector.intake import Intake, Treatment
from sakimori_collector.metrics import CollectorMetrics
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.log import logger
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.testing.bus import RecordingBus
from servers.eventually import eventually
from servers.ports import free_ports


class NoShelf:
    async def keep(self, lines: Sequence[Rejected]) -> None:
        raise AssertionError(lines)


def site(registry: CollectorRegistry) -> Site:
    metrics = CollectorMetrics(registry)
    publisher = EventPublisher(RecordingBus(), "collector", PublisherMetrics(CollectorRegistry()))
    return Site(
        intake=Intake(publisher, NoShelf(), metrics, Treatment()),
        metrics=metrics,
        log=logger("test"),
        instance="test",
        zone=UTC,
        peers=Peers(parse_networks("127.0.0.0/8")),
        rates=Rates(0),
        limits=Limits(buffer_bytes=4096),
    )


async def test_datagrams_that_found_no_room_in_the_kernel_are_counted() -> None:
    registry, arrived, is_full = CollectorRegistry(), list[bytes](), True
    [port] = free_ports(1)

    def take(_: Peer, datagram: bytes) -> None:
        arrived.append(datagram)

    listening = DatagramPort(site(registry), "syslog_udp", Listener("127.0.0.1", port), take, lambda: is_full)

    def lost() -> float:
        return registry.get_sample_value("sakimori_collector_datagrams_lost_total", {"source": "syslog_udp"}) or 0.0

    async with listening.running():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(100):
                sender.sendto(b"x" * 1000, ("127.0.0.1", port))
            await asyncio.sleep(0)
            assert arrived == []
            is_full = False
            await eventually(lambda: arrived)
            sender.sendto(b"the next one tells", ("127.0.0.1", port))
            await eventually(lambda: b"the next one tells" in arrived)
    assert lost() > 0
    assert lost() + len(arrived) == 101
