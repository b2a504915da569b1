"""Events over HTTP: what one core takes in, confirmed by the bus, in bodies of 500 lines and one by one.

    python -m bench.collector.ingest [--bus memory rabbitmq] [--events N]

The server has one core for itself; the generator and RabbitMQ share the other. Counted is what was answered 202, which
means that the bus confirmed it. `bare` is without masking and enrichment; `messages` are raw nginx lines in JSON,
`events` are events of 14 fields. CPU is the server's, user and system.
"""

import argparse
import asyncio
import itertools
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import psutil

from bench.collector import lines
from bench.pipeline.client import IntakeConnection
from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from servers.ports import free_ports
from servers.rabbitmq import find_rabbitmq

BODY_LINES: Final = 500
_STOCK: Final = 40_000
_SINGLES: Final = 20
"""A post of one event costs about so much more than one of many."""


class Load(NamedTuple):
    """What is posted, over how many connections at once, until so many events are taken in."""

    name: str
    bodies: Sequence[bytes]
    connections: int
    events: int


def main() -> None:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.collector.ingest", description=__doc__.partition("\n")[0])
    options.add_argument("--bus", nargs="+", choices=("memory", "rabbitmq"), default=["memory", "rabbitmq"])
    options.add_argument("--events", type=int, default=600_000, help="in each run")
    given = options.parse_args()
    print(f"{'':<44} {'events/s':>9} {'CPU us an event':>16} {'events per CPU s':>17}")
    for bus in given.bus:
        with _bus(bus) as url:
            for load, is_bare in itertools.product(_loads(given.events), (True, False)):
                rate, cost = _measured(url, load, is_bare=is_bare)
                name = f"{bus}, {load.name}{', bare' if is_bare else ''}"
                print(f"{name:<44} {rate:>9,.0f} {cost * 1e6:>16.1f} {1 / cost:>17,.0f}", flush=True)


def _loads(count: int) -> list[Load]:
    stock = lines.nginx(_STOCK)
    source = Source("bench", "bench", "nginx.access", Reference(lines.NOW), {})
    events = [event.to_line().rstrip() for number, line in enumerate(stock) for event in source.read(line, number)]
    messages = [msgspec.json.encode({"message": line.decode(), "event.dataset": "nginx.access"}) for line in stock]
    return [
        Load("500 events a body", _bodies(events), 8, count),
        Load("500 messages a body", _bodies(messages), 8, count),
        Load("one event a body", events, 64, count // _SINGLES),
    ]


def _bodies(found: Sequence[bytes]) -> list[bytes]:
    return [b"\n".join(found[at : at + BODY_LINES]) for at in range(0, len(found), BODY_LINES)]


def _measured(url: str, load: Load, *, is_bare: bool) -> tuple[float, float]:
    """Run once: events a second, and CPU seconds an event."""
    with _server(url, is_bare=is_bare) as (process, port, token):
        asyncio.run(_offered(f"http://127.0.0.1:{port}/ingest", token, load, load.events // 10))
        started, cpu = time.perf_counter(), _cpu(process)
        taken = asyncio.run(_offered(f"http://127.0.0.1:{port}/ingest", token, load, load.events))
        return taken / (time.perf_counter() - started), (_cpu(process) - cpu) / taken


async def _offered(url: str, token: str, load: Load, count: int) -> int:
    """Post until so many events were offered, and all of them are answered; returns how many were accepted."""
    bodies, offered = itertools.cycle(load.bodies), 0

    async def post() -> int:
        nonlocal offered
        connection, accepted = IntakeConnection(url, token), 0
        try:
            while offered < count:
                body = next(bodies)
                offered += body.count(b"\n") + 1
                accepted += await connection.post(body)
        finally:
            connection.close()
        return accepted

    return sum(await asyncio.gather(*(post() for _ in range(load.connections))))


@contextmanager
def _bus(kind: str) -> Iterator[str]:
    if kind == "memory":
        yield "memory://"
        return
    rabbitmq = find_rabbitmq()
    rabbitmq.start()
    try:
        yield rabbitmq.fresh_url()
    finally:
        rabbitmq.stop()


@contextmanager
def _server(bus_url: str, *, is_bare: bool) -> Iterator[tuple[psutil.Process, int, str]]:
    """Run the server on the last core, and this process (with whatever it starts) on the others."""
    cores = sorted(os.sched_getaffinity(0))
    [port], token = free_ports(1), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="sakimori-bench-") as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "BUS_URL": bus_url,
            "DATABASE_URL": "postgresql://localhost/none",
            "VALKEY_URL": "redis://localhost",
            "INGEST_TOKEN": token,
            "EDGE_TOKEN": secrets.token_hex(16),
            "PRIVACY_KEY": secrets.token_hex(16),
            "COLLECTOR_PORT": str(port),
            "COLLECTOR_SPOOL_DIR": folder,
        }
        command = [sys.executable, "-m", "bench.collector.server", *(["bare"] if is_bare else [])]
        server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if server.stdout is None or server.stdout.readline() != b"ready\n":
                raise SystemExit("the server did not start")
            if len(cores) > 1:
                os.sched_setaffinity(server.pid, cores[-1:])
                os.sched_setaffinity(0, cores[:-1])
            yield psutil.Process(server.pid), port, token
        finally:
            os.sched_setaffinity(0, cores)
            server.terminate()
            server.wait(10)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
