"""Measure the pipeline: a saturated run, then fixed rates with latencies; lost and doubled must be 0."""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from bench.pipeline.parts import Parts, running_parts
from bench.pipeline.traffic import BODY_LINES, attack, bodies, stamped
from sakimori_common.bus import Message, Topic, open_bus
from sakimori_common.contracts import FINDINGS

IN_FLIGHT = 8
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


async def post(client: httpx.AsyncClient, parts: Parts, body: bytes) -> int:
    """Hand a body in until it is accepted; returns how many lines were."""
    headers = {"authorization": f"Bearer {parts.ingest_token}", "content-type": "application/x-ndjson"}
    while True:
        answer = await client.post(parts.ingest_url, content=body, headers=headers)
        if answer.status_code == 202:
            return int(answer.json()["accepted"])
        if answer.status_code != 503:
            raise SystemExit(f"the collector answered {answer.status_code}: {answer.text[:300]}")
        await asyncio.sleep(0.2)


async def offer(client: httpx.AsyncClient, parts: Parts, run: Run, load: Load) -> None:
    """Send bodies at the rate of the load and an attack now and then."""
    rate, seconds, stock = load.rate, load.seconds, load.stock
    slots = asyncio.Semaphore(IN_FLIGHT if not rate else 64)
    started = time.perf_counter()
    lines = BODY_LINES if not rate else max(1, min(BODY_LINES, int(rate / 50)))

    async def _send(body: bytes) -> None:
        try:
            run.sent += await post(client, parts, stamped(body))
        finally:
            slots.release()

    async def _attack(number: int) -> None:
        address = f"198.18.{number >> 8 & 255}.{number & 255}"
        run.attacks[address] = time.perf_counter()
        run.sent += await post(client, parts, attack(address))

    async with asyncio.TaskGroup() as group:
        number = attacks = 0
        while (elapsed := time.perf_counter() - started) < seconds:
            if attacks < elapsed * ATTACKS_PER_SECOND:
                group.create_task(_attack(attacks))
                attacks += 1
            if rate and number * lines > elapsed * rate:
                await asyncio.sleep(0.002)
                continue
            await slots.acquire()
            body = stock[number % len(stock)]
            group.create_task(_send(body if lines == BODY_LINES else b"\n".join(body.split(b"\n", lines)[:lines])))
            number += 1


async def measure(parts: Parts, load: Load) -> str:
    """Make one run on an empty store and describe it as a row of a Markdown table."""
    connection = await asyncpg.connect(parts.database_url)
    await connection.execute("TRUNCATE collector.events, detector.findings")
    bus = await open_bus(parts.bus_url, service="bench")
    run = Run()
    watcher = await bus.watch(Topic.FINDINGS, run.take)
    cpu_before, started = parts.cpu_seconds(), time.perf_counter()
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=80), trust_env=False) as client:
        await offer(client, parts, run, load)
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


async def measure_all(parts: Parts, rates: list[float], seconds: float) -> None:
    """Print a table, one row a run; a first short run warms everything up and is not shown."""
    stock = bodies(200, seed=20260116)
    await measure(parts, Load(stock, 1000, 3))
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for rate in rates:
        print(await measure(parts, Load(stock, rate, seconds)), flush=True)
    print({name: f"{size / 1e6:.0f} MB" for name, size in parts.memory_bytes().items()})


def main() -> None:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    options.add_argument("--rates", type=float, nargs="+", default=[1000, 20000, 0], help="events/s; 0 is saturated")
    options.add_argument("--seconds", type=float, default=20.0, help="length of each run")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sakimori-bench-") as folder, running_parts(Path(folder)) as parts:
        asyncio.run(measure_all(parts, chosen.rates, chosen.seconds))


if __name__ == "__main__":
    main()
