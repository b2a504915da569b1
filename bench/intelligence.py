"""What indicators cost: time per event, per look-up, memory.

    python -m bench.intelligence [--indicators N] [--events N] [--refuse-above RATIO]

Indicators are made up: of ten, four addresses, half a network, three domains, two URLs, half a digest. Events are
requests, logins, flows and DNS questions in batches of 200, of sources and names that hardly repeat; one in a thousand
has an indicator. The rules are those of the project. Each in its turn, several times in one run, `Engine.evaluate`:

- `without`: without the rules of rules/intelligence,
- `empty`: with them, and no indicators,
- `full`: with them and all indicators.

CPU time. What counts is the median of the rounds' full / empty: same rules, same events, one after the other. Status 1
when it is above the bound.
"""

import argparse
import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from sakimori.content import rules_dir
from sakimori_common.contracts import Event, FieldValue
from sakimori_common.ids import event_id
from sakimori_common.instants import MICROSECONDS
from sakimori_detector.adapters.files import read_files
from sakimori_detector.adapters.suffixes import is_suffix
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.intelligence.documents import stock_of
from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.stock import Stock
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.domain.loading import load

BATCH_EVENTS: Final = 200
ROUNDS: Final = 25
NOON: Final = 1_768_564_800 * MICROSECONDS
"""Of a day in January 2026, UTC: no night, no weekend."""
_FEED: Final = Feed(name="bench", url="https://feeds.example/all", format="plain", confidence=80)
_AGENTS: Final = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/147.0", "curl/8.17.0", "Mozilla/5.0 (iPhone) Safari/605.1")


def _address(dice: random.Random) -> str:
    """Any address from 16.0.0.0 to 95.255.255.255."""
    number = dice.randrange(16 << 24, 96 << 24)
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _name(dice: random.Random) -> str:
    return "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randrange(6, 15)))


def indicators(count: int, dice: random.Random) -> list[str]:
    """Make up indicators of all kinds, in the order in which a feed might have them."""
    made = []
    for turn in range(count):
        match turn % 20:
            case 0:
                made.append(f"{_address(dice)}/{dice.randrange(22, 31)}")
            case 1:
                made.append(f"{dice.getrandbits(256):064x}")
            case kind if kind < 10:
                made.append(_address(dice))
            case kind if kind < 16:
                made.append(f"{_name(dice)}.{_name(dice)}.example")
            case _:
                made.append(f"http://{_name(dice)}.test/{_name(dice)}/{_name(dice)}.php?id={turn}")
    return made


def events(count: int, known: Sequence[str], dice: random.Random) -> list[list[Event]]:
    """Make batches as the collector and the packet sensor send them, one event in a thousand with an indicator."""
    addresses = [text for text in known if "/" not in text and text[0].isdigit() and len(text) < 16]
    batches: dict[bool, list[Event]] = {False: [], True: []}
    for turn in range(count):
        source = dice.choice(addresses) if turn % 1000 == 999 else _address(dice)
        dataset, fields = _flow_or_question(turn, dice) if turn % 2 else _request_or_login(turn, dice)
        at = NOON + turn * 1000
        batches[bool(turn % 2)].append(
            Event(event_id(at, "bench", str(turn)), at, dataset, {"source.ip": source, **fields})
        )
    return [each[at : at + BATCH_EVENTS] for each in batches.values() for at in range(0, len(each), BATCH_EVENTS)]


def _request_or_login(turn: int, dice: random.Random) -> tuple[str, dict[str, FieldValue]]:
    if turn % 10 == 0:
        login = {"event.category": "authentication", "event.action": "ssh_login", "event.outcome": "success"}
        return "openssh.auth", {**login, "user.name": _name(dice), "process.pid": turn, "source.port": 40_000}
    path, query = f"/{_name(dice)}/{_name(dice)}.html", f"page={turn}&q={_name(dice)}"
    return "nginx.access", {
        "event.category": "web",
        "event.outcome": "success",
        "http.request.method": "GET",
        "http.request.referrer": f"https://www.shop.example/{_name(dice)}",
        "http.response.status_code": 200,
        "http.response.body.bytes": turn,
        "url.original": f"{path}?{query}",
        "url.path": path,
        "url.query": query,
        "url.domain": "www.shop.example",
        "user_agent.original": dice.choice(_AGENTS),
    }


def _flow_or_question(turn: int, dice: random.Random) -> tuple[str, dict[str, FieldValue]]:
    if turn % 10 < 4:
        return "network.dns", {
            "event.category": "network",
            "destination.ip": "192.0.2.53",
            "dns.type": "query",
            "dns.question.name": f"{_name(dice)}.{_name(dice)}.test",
            "dns.question.type": "A",
        }
    return "network.flow", {
        "event.category": "network",
        "destination.ip": _address(dice),
        "destination.port": 443,
        "network.bytes": 9_000 + turn,
        "network.transport": "tcp",
        "sakimori.flow.state": "closed",
        "source.port": 40_000,
        "tls.client.server_name": f"www.{_name(dice)}.example",
    }


def engines(table: Table) -> dict[str, Engine]:
    """Load the project's rules three times."""
    files = read_files(rules_dir())
    others = {path: text for path, text in files.rules.items() if not path.startswith("intelligence/")}
    made = {}
    for name, texts, known in (
        ("without", others, Table()),
        ("empty", files.rules, Table()),
        ("full", files.rules, table),
    ):
        loaded = load(texts, files.lists, UTC, intelligence=Intelligence(known))
        made[name] = Engine(loaded.rules, loaded.world)
    return made


def read(document: bytes) -> tuple[Stock, Table]:
    """Read a document into a table; says on the way what that cost."""
    started = time.process_time()
    stock = stock_of(_FEED, document, is_suffix, seen_at=NOON)
    read_at = time.process_time()
    table = Table([stock])
    built_at = time.process_time()
    print(f"{len(table)} indicators in a document of {len(document) / 1e6:.1f} MB: ", end="")
    print(f"read in {read_at - started:.1f} s, table built in {built_at - read_at:.2f} s")
    return stock, table


def weigh(document: bytes) -> None:
    """Say how much memory the indicators of a document take, and how much while it is read."""
    is_suffix("example")  # the list of suffixes, which is loaded once, is none of it
    tracemalloc.start()
    stock = stock_of(_FEED, document, is_suffix, seen_at=NOON)
    table = Table([stock])
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"  {held / len(table):.0f} bytes an indicator, {most / len(table):.0f} while they are read")


def look_up(table: Table, known: Sequence[str], dice: random.Random) -> None:
    """Time single look-ups, of what is there and of what is not."""
    texts = {
        "address, not there": (Kind.IP, [_address(dice) for _ in range(20_000)]),
        "domain, not there": (Kind.DOMAIN, [f"www.{_name(dice)}.{_name(dice)}.example" for _ in range(20_000)]),
        "URL, not there": (Kind.URL, [f"https://{_name(dice)}.test/{_name(dice)}" for _ in range(20_000)]),
        "domain, there": (Kind.DOMAIN, [text for text in known if text.endswith(".example")][:20_000]),
        "URL, there": (Kind.URL, [text for text in known if text.startswith("http")][:20_000]),
    }
    for name, (kind, asked) in texts.items():
        took = []
        for text in asked:
            started = time.perf_counter_ns()
            table.find(kind, text, NOON)
            took.append(time.perf_counter_ns() - started)
        took.sort()
        slowest = took[-len(took) // 1000] / 1e3
        print(f"  {name:<20} median {took[len(took) // 2] / 1e3:.2f} us, 99.9 % below {slowest:.1f} us")


def measure(made: dict[str, Engine], batches: Sequence[Sequence[Event]]) -> float:
    """Print microseconds an event; returns the median of full / empty."""
    costs: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(ROUNDS):
        for name, engine in made.items():
            started = time.process_time()
            for batch in batches:
                engine.evaluate(batch)
            costs[name].append((time.process_time() - started) / sum(map(len, batches)) * 1e6)
    for name, each in costs.items():
        print(f"  {name:<8} median {statistics.median(each):6.2f} us an event, least {min(each):.2f}")
    ratios = [full / empty for full, empty in zip(costs["full"], costs["empty"], strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    print(f"  full / empty: median {median:.3f} of {ROUNDS} rounds, half of them from {low:.3f} to {high:.3f}")
    return median


def main() -> int:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.intelligence", description=__doc__.partition("\n")[0])
    options.add_argument("--indicators", type=int, default=250_000)
    options.add_argument("--events", type=int, default=20_000, help="in each turn")
    options.add_argument("--refuse-above", type=float, default=1.2, help="full / empty")
    options.add_argument("--brief", action="store_true", help="do not measure memory, which takes long")
    given, dice = options.parse_args(), random.Random(20260116)
    known = indicators(given.indicators, dice)
    document = "\n".join(known).encode()
    if not given.brief:
        weigh(document)
    stock, table = read(document)
    if stock.skipped:
        print(f"  left out: {dict(stock.skipped)}")
    look_up(table, known, dice)
    batches = events(given.events, known, dice)
    gc.freeze()
    ratio = measure(engines(table), batches)
    return 1 if ratio > given.refuse_above else 0


if __name__ == "__main__":
    sys.exit(main())
