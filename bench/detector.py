"""What the detector costs, against the least that any counter of addresses must do.

    python -m bench.detector [--events N]

Batches of 200 events, as they come over the bus: 80 % requests and 20 % SSH logins of clients that hardly repeat, the
rules of the project. One run has all of these, each in its turn, several times:

- `bare`: decode a batch and count its addresses in a dictionary; the server line has INCR and EXPIRE per address, the
  usual fixed-window counter, in one pipeline a batch.
- `engine`: decode and evaluate every rule.
- `memory`, `Valkey`: decode, evaluate, count in windows, as `sakimori detect` and the service do.

CPU time, user and system, which other processes disturb less than time on the wall does.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psutil

from bench.pipeline.traffic import bodies, stamped
from sakimori.content import rules_dir
from sakimori.embedded import ValkeyServer
from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source
from sakimori_common.context import Valkey
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.instants import now
from sakimori_common.runtime import new_runner
from sakimori_common.valkey import open_valkey
from sakimori_detector.adapters.files import read_files
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.detection import detect
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import load
from sakimori_detector.ports import DetectionState

BATCH_EVENTS = 200
ROUNDS = 5
Work = Callable[[bytes], Awaitable[object]]


def batches(count: int) -> list[bytes]:
    """Make about `count` events in encoded batches."""
    events: list[Event] = []
    for number, body in enumerate(bodies(-(-count // 500), seed=20260116)):
        source = Source("bench", f"bench-{number}", "auto", Reference(now()), {"observer.name": "bench"})
        for place, line in enumerate(stamped(body).split(b"\n")):
            wrapped = msgspec.json.decode(line)
            text = wrapped["message"]
            events += source.read_text(text, line, place, wrapped["event.dataset"], "")
    return [EVENTS.encode(events[at : at + BATCH_EVENTS]) for at in range(0, len(events), BATCH_EVENTS)]


def bare(body: bytes, counts: Counter[object]) -> None:
    """Do the least."""
    counts.update(event.fields.get("source.ip") for event in EVENTS.decode(body))


async def counted_by_server(body: bytes, valkey: Valkey) -> None:
    """Count with INCR and EXPIRE, the usual way."""
    async with valkey.pipeline(transaction=False) as pipeline:
        for event in EVENTS.decode(body):
            name = f"rate:{event.fields.get('source.ip')}"
            pipeline.incr(name)
            pipeline.expire(name, 60)
        await pipeline.execute()


def detecting(engine: Engine, state: DetectionState) -> Work:
    """Make what the service does with a batch."""
    return lambda body: detect(engine, state, str(uuid.uuid4()), EVENTS.decode(body), lambda event: event.time)


def plain(work: Callable[[bytes], object]) -> Work:
    """Wrap what does not wait."""

    async def _work(body: bytes) -> None:
        work(body)

    return _work


def new_engine() -> Engine:
    """Load the project's rules; in a zone where the events' time is noon, or nearly, to keep the nights out."""
    ahead = (12 - time.gmtime().tm_hour + 12) % 24 - 12
    files = read_files(rules_dir())
    loaded = load(files.rules, files.lists, ZoneInfo(f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"))
    return Engine(loaded.rules, loaded.world)


async def cost(work: Work, stock: list[bytes], server: psutil.Process) -> tuple[float, float]:
    """Work through the stock; returns CPU seconds of this process and of the server."""
    before, started = server.cpu_times(), time.process_time()
    for body in stock:
        await work(body)
    client, after = time.process_time() - started, server.cpu_times()
    return client, after.user + after.system - before.user - before.system


async def measure(url: str, server: psutil.Process, count: int) -> int:
    """Print a table: microseconds an event here and in the server, medians, and the ratio to `bare`."""
    valkey = open_valkey(url, timeout_seconds=10)
    stock, engine = batches(count), new_engine()
    works: dict[str, Callable[[], Work]] = {
        "bare": lambda: plain(lambda body, counts=Counter(): bare(body, counts)),  # type: ignore[misc]
        "bare, server": lambda: lambda body: counted_by_server(body, valkey),
        "engine": lambda: plain(lambda body: engine.evaluate(EVENTS.decode(body))),
        "memory": lambda: detecting(engine, MemoryState()),
        "Valkey": lambda: detecting(engine, ValkeyState(valkey)),
    }
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, make in works.items():
            await valkey.flushall()
            costs[name].append(await cost(make(), stock, server))
    await valkey.aclose()
    _show(costs, len(stock) * BATCH_EVENTS)
    return 0


def _show(costs: dict[str, list[tuple[float, float]]], count: int) -> None:
    print(f"{'':<14} {'us an event':>12} {'to bare':>8} {'server, us':>12} {'to bare':>8}   medians of {ROUNDS}")
    for name, pairs in costs.items():
        client, server = (1e6 * statistics.median(column) / count for column in zip(*pairs, strict=True))
        to_bare = statistics.median(one[0] / base[0] for one, base in zip(pairs, costs["bare"], strict=True))
        line = f"{name:<14} {client:>12.1f} {to_bare:>8.1f}"
        if server > 0.2:
            bases = costs["bare, server"]
            line += (
                f" {server:>12.1f} {statistics.median(o[1] / b[1] for o, b in zip(pairs, bases, strict=True)):>8.1f}"
            )
        print(line)


def _server_process() -> psutil.Process:
    return next(each for each in psutil.Process().children(recursive=True) if "valkey-server" in each.name())


def main() -> None:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.detector", description=__doc__.partition("\n")[0])
    options.add_argument("--events", type=int, default=20_000, help="in each turn")
    count = options.parse_args().events
    with tempfile.TemporaryDirectory(prefix="sakimori-bench-") as folder:
        valkey = ValkeyServer(Path(folder) / "valkey")
        valkey.start()
        try:
            new_runner(measure(valkey.url, _server_process(), count))
        finally:
            valkey.stop()


if __name__ == "__main__":
    main()
