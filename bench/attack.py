"""What the detector costs under attack: nothing but failing SSH logins, of which most belong to findings that are open.

    python -m bench.attack [--events N] [--addresses N]

Batches of 200 events, 100 events a second, of addresses and four users by chance; the rules of the project. One run has
all of these, each in its turn, several times:

- `bare`: decode a batch and count its addresses in a dictionary.
- `engine`: decode and evaluate every rule.
- `memory`: decode, evaluate, count, explain every finding and update, as `sakimori detect` does.

CPU time of this process, and its ratio to `bare` in the same turn.
"""

import argparse
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from zoneinfo import ZoneInfo

from bench.detector import BATCH_EVENTS, ROUNDS, bare
from sakimori.content import rules_dir
from sakimori_collector.domain.formats import Reference
from sakimori_collector.domain.reading import Source
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.instants import format_instant, parse_instant
from sakimori_common.runtime import calm_garbage_collector
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import RuleSet
from sakimori_detector.offline import OfflineDetector, load_folder

NOON = parse_instant("2026-01-16T12:00:00Z")
EVENTS_A_SECOND = 100
USERS = ("root", "admin", "deploy", "git")
Work = Callable[[bytes], object]


def batches(count: int, addresses: int) -> list[bytes]:
    """Make encoded batches of failing logins."""
    dice = random.Random(20260116)
    source = Source("bench", "bench", "auto", Reference(NOON), {"observer.name": "bench"})
    events: list[Event] = []
    for place in range(count):
        at = format_instant(NOON + place * 1_000_000 // EVENTS_A_SECOND)
        address, user, port = dice.randrange(addresses), dice.choice(USERS), dice.randrange(1024, 65535)
        who = f"{user} from 10.0.{address // 250}.{1 + address % 250} port {port} ssh2"
        line = f"{at} web-1 sshd[{1000 + address}]: Failed password for {who}"
        events += source.read_text(line, line.encode(), place, "openssh.auth", "")
    return [EVENTS.encode(events[at : at + BATCH_EVENTS]) for at in range(0, len(events), BATCH_EVENTS)]


def works(loaded: RuleSet) -> dict[str, Work]:
    """Make what is measured, each with empty windows."""
    counts: Counter[object] = Counter()
    engine, detector = Engine(loaded.rules, loaded.world), OfflineDetector(loaded.rules, loaded.world)
    return {
        "bare": lambda body: bare(body, counts),
        "engine": lambda body: engine.evaluate(EVENTS.decode(body)),
        "memory": lambda body: detector.feed(EVENTS.decode(body)),
    }


def measure(count: int, addresses: int, rounds: int) -> dict[str, list[float]]:
    """Give CPU microseconds an event by kind of work, one for each round."""
    stock, loaded = batches(count, addresses), load_folder(rules_dir(), str(ZoneInfo("UTC")))
    costs: dict[str, list[float]] = {}
    calm_garbage_collector()  # as the service and the command do
    for _ in range(rounds):
        for name, work in works(loaded).items():
            started = time.process_time()
            for body in stock:
                work(body)
            costs.setdefault(name, []).append(1e6 * (time.process_time() - started) / count)
    return costs


def main() -> None:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.attack", description=__doc__.partition("\n")[0])
    options.add_argument("--events", type=int, default=20_000, help="in each turn")
    options.add_argument("--addresses", type=int, default=1_000)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = options.parse_args()
    costs = measure(chosen.events, chosen.addresses, chosen.rounds)
    print(f"{'':<8} {'us an event':>12} {'to bare':>8}   medians of {chosen.rounds}")
    for name, each in costs.items():
        ratio = statistics.median(one / base for one, base in zip(each, costs["bare"], strict=True))
        print(f"{name:<8} {statistics.median(each):>12.1f} {ratio:>8.1f}")


if __name__ == "__main__":
    main()
