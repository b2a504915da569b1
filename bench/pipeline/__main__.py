"""Measure the pipeline: a saturated run, then fixed rates with latencies; lost and doubled must be 0."""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.pipeline.client import IntakeConnection
from bench.pipeline.parts import Parts, running_parts
from bench.pipeline.traffic import BODY_LINES, attack, bodies, stamped
from sakimori_common.bus import Message, Topic, open_bus
from sakimori_common.contracts import FINDINGS
from sakimori_common.runtime import new_runner

CONNECTIONS = 8
BODIES_PER_SECOND = 50
"""At a fixed rate; like an agent that ships what came in 20 ms."""
ATTACKS_PER_SECOND = 20
SETTLE_SECONDS = 60.0
COLUMNS = (
    "offered events/s",
    "events",
    "taken in/s",
    "stored and evaluated/s",
    "event to finding, ms p50 / p95 / p99",
    "lost / doubled",
    "CPU, us an event",
)


@dataclass(frozen=True, slots=True)
class Load:
    """What is offered: bodies over and over, at `rate` events/s (0: as fast as they are taken) for `seconds`."""

    stock: list[bytes]
    rate: float
    seconds: float


@dataclass
class Run:
    """What one run sent and saw. Times are of one clock, in seconds."""

    sent: int = 0
    attacks: dict[str, float] = field(default_factory=dict)
    found: dict[str, list[float]] = field(default_factory=dict)

    async def take(self, message: Message) -> None:
        """Note when a finding came."""
        now = time.perf_counter()
        for finding in FINDINGS.decode(message.body):
            if finding.entity in self.attacks and finding.rule_id == "sql_injection":
                self.found.setdefault(finding.entity, []).append(now)

    def latencies(self) -> list[float]:
        """List milliseconds from handing an attack in to its finding on the bus."""
        return [
            1000 * (self.found[address][0] - sent) for address, sent in self.attacks.items() if address in self.found
        ]


async def offer(parts: Parts, run: Run, load: Load) -> None:
    """Send bodies at the rate of the load, an attack in front of one now and then."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(CONNECTIONS if not load.rate else 0)
    async with asyncio.TaskGroup() as group:
        senders = [group.create_task(_send(parts, run, queue)) for _ in range(CONNECTIONS)]
        await _feed(queue, run, load)
        await queue.join()
        for sender in senders:
            sender.cancel()


async def _send(parts: Parts, run: Run, queue: "asyncio.Queue[bytes]") -> None:
    connection = IntakeConnection(parts.ingest_url, parts.ingest_token)
    try:
        while True:
            accepted = await connection.post(await queue.get())
            run.sent += accepted
            queue.task_done()
    finally:
        connection.close()


async def _feed(queue: "asyncio.Queue[bytes]", run: Run, load: Load) -> None:
    lines = BODY_LINES if not load.rate else max(1, min(BODY_LINES, int(load.rate / BODIES_PER_SECOND)))
    stock = [b"\n".join(body.split(b"\n", lines)[:lines]) for body in load.stock]
    started = time.perf_counter()
    number = 0
    while (elapsed := time.perf_counter() - started) < load.seconds:
        if load.rate and number * lines > elapsed * load.rate:
            await asyncio.sleep(0.001)
            continue
        body = stamped(stock[number % len(stock)])
        if len(run.attacks) < elapsed * ATTACKS_PER_SECOND:
            address = f"198.18.{len(run.attacks) >> 8 & 255}.{len(run.attacks) & 255}"
            run.attacks[address] = time.perf_counter()
            body = attack(address) + b"\n" + body
        await queue.put(body)
        number += 1


async def measure(parts: Parts, load: Load) -> str:
    """Make one run on an empty store and describe it as a row of a Markdown table."""
    connection = await asyncpg.connect(parts.database_url)
    await connection.execute("TRUNCATE collector.events, detector.findings")
    bus = await open_bus(parts.bus_url, service="bench")
    run = Run()
    watcher = await bus.watch(Topic.FINDINGS, run.take)
    cpu_before, started = parts.cpu_seconds(), time.perf_counter()
    await offer(parts, run, load)
    taken_in = time.perf_counter() - started
    stored = await _settled(connection, run)
    elapsed = time.perf_counter() - started
    cpu = {name: after - cpu_before[name] for name, after in parts.cpu_seconds().items()}
    await watcher.drain()
    await bus.close()
    doubled = sum(len(times) - 1 for times in run.found.values()) + max(0, stored - run.sent)
    lost = max(0, run.sent - stored) + len(run.attacks) - len(run.found)
    await connection.close()
    return _row(load, run, taken_in, elapsed, f"{lost} / {doubled}", cpu)


def _row(load: Load, run: Run, taken_in: float, elapsed: float, wrong: str, cpu: dict[str, float]) -> str:  # noqa: PLR0917
    centiles = statistics.quantiles(run.latencies() or [float("nan")] * 2, n=100, method="inclusive")
    cells = (
        f"{load.rate:,.0f}" if load.rate else "saturated",
        f"{run.sent:,}",
        f"{run.sent / taken_in:,.0f}",
        f"{run.sent / elapsed:,.0f}",
        " / ".join(f"{centiles[percent - 1]:.1f}" for percent in (50, 95, 99)),
        wrong,
        ", ".join(f"{name} {1e6 * seconds / run.sent:.1f}" for name, seconds in cpu.items()),
    )
    return f"| {' | '.join(cells)} |"


async def _settled(connection: "asyncpg.Connection", run: Run) -> int:
    """Wait until everything sent is stored and every attack found, or nothing has moved for long."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        stored = int(await connection.fetchval("SELECT count(*) FROM collector.events"))
        if (stored >= run.sent and len(run.found) >= len(run.attacks)) or time.monotonic() > deadline:
            return stored
        await asyncio.sleep(0.1)


async def measure_all(parts: Parts, rates: list[float], seconds: float) -> int:
    """Print a table, one row a run; a first short run warms everything up and is not shown."""
    stock = bodies(200, seed=20260116)
    await measure(parts, Load(stock, 1000, 3))
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for rate in rates:
        print(await measure(parts, Load(stock, rate, seconds)), flush=True)
    print({name: f"{size / 1e6:.0f} MB" for name, size in parts.memory_bytes().items()})
    return 0


def main() -> None:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    options.add_argument("--rates", type=float, nargs="+", default=[1000, 20000, 0], help="events/s; 0 is saturated")
    options.add_argument("--seconds", type=float, default=20.0, help="length of each run")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sakimori-bench-") as folder, running_parts(Path(folder)) as parts:
        new_runner(measure_all(parts, chosen.rates, chosen.seconds))


if __name__ == "__main__":
    main()
