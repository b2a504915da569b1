"""Syslog over UDP, TCP and TLS, and GELF: what comes by real sockets is stored once, or counted where it stayed."""

import asyncio
import gzip
import json
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from sakimori_collector.settings import CollectorSettings
from servers.collector_clients import certificates, connect, udp_sender
from servers.eventually import eventually
from servers.ports import free_ports
from servers.rabbitmq import RabbitMQ

from .conftest import Collector, Start

LINE = b"<38>Jan 16 02:00:00 gate sshd[%d]: Failed password for root from 192.0.2.7 port 4000 ssh2"
ON_RABBITMQ = pytest.mark.parametrize("bus_url", ["amqp"], indirect=True)


def lines(count: int, start: int = 0) -> list[bytes]:
    return [LINE % number for number in range(start, start + count)]


def counts(collector: Collector, source: str) -> dict[str, int]:
    names = ("received", "published", "rejected", "spooled", "dropped")
    return {name: int(collector.lines(name, source)) for name in names}


def metric(collector: Collector, name: str, **labels: str) -> float:
    return collector.context.registry.get_sample_value(f"sakimori_collector_{name}", labels) or 0.0


def accounted(collector: Collector, source: str, **expected: int) -> Callable[[], bool]:
    """Make a check that all counters are as expected, those not named being 0, and that the sum holds now."""

    def check() -> bool:
        found = counts(collector, source)
        assert found["received"] == sum(found.values()) - found["received"], found
        wanted = dict.fromkeys(found, 0) | expected
        assert found == wanted, found
        return True

    return check


async def stored(collector: Collector, count: int, seconds: float = 20.0) -> bool:
    async def is_there() -> bool:
        return await collector.count() == count

    return await eventually(is_there, seconds)


async def open_udp(start: Start, **changes: object) -> tuple[Collector, Callable[[bytes], None]]:
    [port] = free_ports(1)
    collector = await start(syslog_udp=f"127.0.0.1:{port}", **changes)
    return collector, udp_sender(port)


async def open_tcp(start: Start, **changes: object) -> tuple[Collector, int]:
    [port] = free_ports(1)
    return await start(syslog_tcp=f"127.0.0.1:{port}", **changes), port


async def test_each_datagram_is_stored_once_with_its_sender(start: Start) -> None:
    collector, send = await open_udp(start)
    for line in lines(3000):
        send(line)
    assert await stored(collector, 3000)
    await eventually(accounted(collector, "syslog_udp", received=3000, published=3000))
    fields = json.loads((await collector.rows())[0]["fields"])
    assert fields["log.source.address"] == "127.0.0.1"
    assert fields["sakimori.input"] == "syslog_udp"
    assert fields["source.ip"] == "192.0.2.7"


async def test_the_same_line_sent_twice_is_two_events(start: Start) -> None:
    collector, send = await open_udp(start)
    for _ in range(2):
        send(LINE % 1)
    assert await stored(collector, 2)


async def test_datagrams_of_rubbish_are_kept_with_the_reason(start: Start) -> None:
    collector, send = await open_udp(start)
    rubbish = [b"\xff\xfe\x00\x01", os.urandom(1400), b"<999>", b"\0\0", b"\n", b"", b"a" * 65_507, b"<13>" * 10_000]
    for datagram in rubbish:
        send(datagram)
    send(LINE % 1)
    await eventually(lambda: collector.lines("received", "syslog_udp") == len(rubbish) - 3 + 1)  # three are empty
    found = counts(collector, "syslog_udp")
    assert found["received"] == found["published"] + found["rejected"]
    assert found["rejected"] == len(await collector.rejected()) > 0


async def test_a_peer_is_counted_by_its_name_and_strangers_are_not_let_in(start: Start) -> None:
    collector, send = await open_udp(start, peer_names="firewall=127.0.0.1")
    send(LINE % 1)
    await eventually(accounted(collector, "firewall", received=1, published=1))
    other, send = await open_udp(start, peer_networks="192.0.2.0/24")
    send(LINE % 1)
    await eventually(lambda: metric(other, "peers_refused_total", source="syslog_udp", reason="network") == 1)
    assert counts(other, "syslog_udp")["received"] == 0


async def test_what_a_peer_sends_beyond_its_rate_is_dropped_and_counted(start: Start) -> None:
    collector, send = await open_udp(start, peer_lines_per_second=10)
    for line in lines(500):
        send(line)
    await eventually(lambda: counts(collector, "syslog_udp")["received"] == 500)
    found = counts(collector, "syslog_udp")
    assert 20 <= found["published"] < 100
    assert found["dropped"] == 500 - found["published"]


@ON_RABBITMQ
async def test_while_the_broker_is_dead_datagrams_wait_on_disk_even_if_the_collector_dies_too(
    start: Start, rabbitmq: RabbitMQ
) -> None:
    collector, send = await open_udp(start)
    send(LINE % 0)
    assert await stored(collector, 1)
    rabbitmq.kill()
    for line in lines(1500, 1):
        send(line)
    await eventually(accounted(collector, "syslog_udp", received=1501, published=1, spooled=1500), 20)
    await collector.crash()
    later, send = await open_udp(start)
    accounted(later, "syslog_udp", received=1500, spooled=1500)()
    send(LINE % 1501)
    rabbitmq.start()
    assert await stored(later, 1502, 60)
    await eventually(accounted(later, "syslog_udp", received=1501, published=1501))


@pytest.mark.parametrize(
    ("sent", "published", "rejected"),
    [
        pytest.param(b"\n".join(lines(3)) + b"\n", 3, 0, id="newlines"),
        pytest.param(b"\0".join(lines(3)), 3, 0, id="NUL, the last without"),
        pytest.param(b"".join(b"%d %b" % (len(line), line) for line in lines(3)), 3, 0, id="octet counting"),
        pytest.param(lines(1)[0] + b"\n" + b"a" * 10_485_760 + b"\n" + lines(2)[1] + b"\n", 2, 1, id="10 MB"),
        pytest.param(b"10485760 <13>" + b"a" * 10_485_756 + b"%d %b" % (len(LINE), LINE), 1, 1, id="10 MB counted"),
        pytest.param(b"%d %b" % (len(LINE), LINE) + b"7000 <13>half", 1, 1, id="half a counted message"),
        pytest.param(b"3 <13>longer than three" + b"7 <13>lost", 0, 2, id="a count too small"),
        pytest.param(b"\xff\x00\xfe\n" + os.urandom(200).replace(b"\n", b"").replace(b"\0", b""), 0, 2, id="rubbish"),
    ],
)
async def test_a_connection_is_accounted_for_to_its_last_byte(
    start: Start, sent: bytes, published: int, rejected: int
) -> None:
    collector, port = await open_tcp(start)
    async with connect(port) as connection:
        await connection.send(sent)
        await connection.finish()
    expected = {"received": published + rejected, "published": published, "rejected": rejected}
    await eventually(accounted(collector, "syslog_tcp", **expected))
    for line in await collector.rejected():
        assert len(line["raw"]) <= 65_536


async def test_after_a_wrong_count_the_connection_is_closed(start: Start) -> None:
    collector, port = await open_tcp(start)
    async with connect(port) as connection:
        await connection.send(b"5 <13>longer than five")
        assert await connection.is_closed()
    assert metric(collector, "connections_broken_total", source="syslog_tcp", reason="framing") == 1


async def test_a_connection_that_trickles_is_closed_and_what_came_is_kept(start: Start) -> None:
    collector, port = await open_tcp(start, idle_seconds=0.3)
    async with connect(port) as connection:

        async def trickle() -> None:
            while True:
                await connection.send(b"a")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        assert await connection.is_closed()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
    assert metric(collector, "connections_broken_total", source="syslog_tcp", reason="half_message") == 1
    await eventually(accounted(collector, "syslog_tcp", received=1, rejected=1))


async def test_more_connections_than_allowed_are_turned_away(start: Start) -> None:
    collector, port = await open_tcp(start, max_connections=1)
    async with connect(port) as first:
        await first.send(LINE % 1 + b"\n")
        assert await stored(collector, 1)
        async with connect(port) as second:
            assert await second.is_closed()
        await first.send(LINE % 2 + b"\n")
        assert await stored(collector, 2)
    assert metric(collector, "peers_refused_total", source="syslog_tcp", reason="connections") == 1
    await eventually(lambda: metric(collector, "connections", source="syslog_tcp") == 0)


async def test_a_sender_beyond_its_rate_is_slowed_down_and_loses_nothing(start: Start) -> None:
    collector, port = await open_tcp(start, peer_lines_per_second=1000)
    async with connect(port) as connection:
        await connection.send(b"\n".join(lines(2500)) + b"\n")
        await connection.finish()
    assert await stored(collector, 2500)


@ON_RABBITMQ
async def test_while_the_broker_is_dead_a_sender_is_not_read_and_loses_nothing(
    start: Start, rabbitmq: RabbitMQ
) -> None:
    collector, port = await open_tcp(start)
    async with connect(port) as connection:
        await connection.send(b"\n".join(lines(1000)) + b"\n")
        assert await stored(collector, 1000)
        rabbitmq.kill()
        sending = asyncio.create_task(connection.send(b"\n".join(lines(200_000, 1000)) + b"\n"))
        await eventually(lambda: metric(collector, "input_stalls_total", source="syslog_tcp") > 0, 20)
        assert not sending.done()
        assert counts(collector, "syslog_tcp")["received"] == 1000
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        rabbitmq.start()
        await eventually(lambda: counts(collector, "syslog_tcp")["received"] > 1000, 60)


async def test_what_was_sent_before_the_end_is_taken(start: Start) -> None:
    collector, port = await open_tcp(start)
    async with connect(port) as connection:
        await connection.send(b"\n".join(lines(5000)) + b"\n")
        await collector.stop()
        assert await connection.is_closed()
    assert counts(collector, "syslog_tcp")["published"] == 5000


async def open_tls(start: Start, folder: Path, **changes: object) -> tuple[Collector, int]:
    [port] = free_ports(1)
    certificates(folder)
    given = {"syslog_tls_certificate": folder / "server.pem", "syslog_tls_key": folder / "server.key", **changes}
    return await start(syslog_tls=f"127.0.0.1:{port}", **given), port


async def test_syslog_over_tls(start: Start, tmp_path: Path) -> None:
    collector, port = await open_tls(start, tmp_path)
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with connect(port, tls=trusting) as connection:
        await connection.send(b"".join(b"%d %b" % (len(line), line) for line in lines(3)))
        await connection.finish()
    await eventually(accounted(collector, "syslog_tls", received=3, published=3))


async def test_with_an_authority_only_its_clients_are_let_in(start: Start, tmp_path: Path) -> None:
    collector, port = await open_tls(start, tmp_path, syslog_tls_client_ca=tmp_path / "ca.pem")
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with pytest.raises(OSError, match=r"(?i)certificate|closed|reset"):
        async with connect(port, tls=trusting) as connection:
            await connection.send(LINE % 1 + b"\n")
            assert await connection.is_closed()
            raise ConnectionResetError("closed")
    trusting.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    async with connect(port, tls=trusting) as connection:
        await connection.send(LINE % 2 + b"\n")
        await connection.finish()
    await eventually(accounted(collector, "syslog_tls", received=1, published=1))


async def test_in_clear_nobody_gets_in_to_tls(start: Start, tmp_path: Path) -> None:
    collector, port = await open_tls(start, tmp_path)
    async with connect(port) as connection:
        await connection.send(LINE % 1 + b"\n")
        assert await connection.is_closed()
    assert counts(collector, "syslog_tls")["received"] == 0


def gelf(number: int, **more: object) -> bytes:
    message = {"version": "1.1", "host": "web-1", "short_message": f"request {number}", "timestamp": 1768528800, **more}
    return json.dumps(message).encode()


async def test_gelf_by_datagrams_plain_compressed_and_in_chunks(start: Start) -> None:
    [port] = free_ports(1)
    collector = await start(gelf_udp=f"127.0.0.1:{port}")
    send = udp_sender(port)
    send(gelf(1))
    send(gzip.compress(gelf(2)))
    message = gelf(3, full_message="x" * 30_000)
    pieces = [message[at : at + 8000] for at in range(0, len(message), 8000)]
    for number in (2, 0, 3, 1, 0):
        send(b"\x1e\x0fidentity" + bytes([number, len(pieces)]) + pieces[number])
    assert await stored(collector, 3)
    send(b"\x1e\x0funfinish" + bytes([0, 2]) + b"{")
    send(gzip.compress(b"\0" * 30_000_000))
    send(b"no JSON")
    await eventually(lambda: collector.lines("rejected", "gelf_udp") == 2)
    await collector.stop()
    accounted(collector, "gelf_udp", received=6, published=3, rejected=3)()
    assert {line["reason"] for line in await collector.rejected()} >= {
        "GELF: 1 of 2 chunks came",
        "over 1048576 bytes decompressed",
    }


async def test_gelf_by_connection(start: Start) -> None:
    [port] = free_ports(1)
    collector = await start(gelf_tcp=f"127.0.0.1:{port}")
    async with connect(port) as connection:
        await connection.send(gelf(1) + b"\0" + gelf(2) + b"\0" + b"no JSON\0" + b"[" * 100_000 + b"\0" + gelf(3))
        await connection.finish()
    await eventually(accounted(collector, "gelf_tcp", received=5, published=3, rejected=2))
    fields = json.loads((await collector.rows())[0]["fields"])
    assert (fields["host.hostname"], fields["log.source.address"]) == ("web-1", "127.0.0.1")


async def test_a_port_that_is_taken_is_an_error_at_start(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AssertionError, match="OSError"):
            await start(syslog_tcp=f"127.0.0.1:{taken.getsockname()[1]}")


def test_tls_without_a_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="COLLECTOR_SYSLOG_TLS needs COLLECTOR_SYSLOG_TLS_CERTIFICATE"):
        CollectorSettings.model_validate(
            {
                "database_url": "postgresql://x",
                "valkey_url": "redis://x",
                "ingest_token": "0123456789abcdef",
                "edge_token": "0123456789abcdef",
                "privacy_key": "0123456789abcdef",
                "syslog_tls": "127.0.0.1:6514",
            }
        )
