"""The collector on one core, against the least that any parser must do and against its peers in the same run.

    python -m bench.collector [--lines N] [--peers LINES] [--check | --update]
    python -m bench.collector.ingest [--bus memory rabbitmq] [--events N]
    python -m bench.collector.memory [LINES]

`least` decodes, matches one expression and makes an Event of its groups, all with the same id: what parsing in Python
cannot go below. `--peers` runs fail2ban-regex and CrowdSec of Debian as processes on so many lines of the same kind;
they are fetched with apt-get into a folder of their own, nothing is installed. `--check` compares with ratios.json and
exits with 1 when one is over 25 % worse.
"""

import argparse
import gc
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.collector import lines, parsing, peers
from bench.ratios import Ratios
from sakimori_collector.domain.formats import AUTO
from sakimori_common.runtime import calm_garbage_collector

RATIOS: Final = Ratios(Path(__file__).with_name("ratios.json"), 1.25, lambda name: name.startswith("times "))
_ROUNDS: Final = 201
"""Of a few milliseconds: on a busy machine some of them are not disturbed, and `[best]` is of those."""


def main() -> int:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.collector", description=__doc__.partition("\n")[0])
    options.add_argument("--lines", type=int, default=500, help="in each of 201 rounds")
    options.add_argument("--peers", type=int, default=0, metavar="LINES", help="also run other programs on so many")
    deed = options.add_mutually_exclusive_group()
    deed.add_argument("--check", action="store_true", help="exit with 1 for a regression of over 25 %%")
    deed.add_argument("--update", action="store_true", help="commit to the ratios of this run")
    given = options.parse_args()
    calm_garbage_collector()
    found: dict[str, float] = {}
    print(f"{'':<46} {'us a line':>9} {'[best]':>8} {'lines/s':>10} {'to least':>9}   medians of {_ROUNDS}")
    for name, make in lines.MAKERS.items():
        found |= _parsed(name, make(given.lines, 2026), make(given.peers, 2027))
        gc.collect()
    if given.update:
        RATIOS.write(found)
    return RATIOS.check(found) if given.check else 0


def _parsed(name: str, stock: Sequence[bytes], for_peers: Sequence[bytes]) -> dict[str, float]:
    works = parsing.works(stock, name)
    costs = parsing.costs(works, len(stock), _ROUNDS)
    base = costs[f"{name}, least"]
    for work in works:
        middle = statistics.median(costs[work])
        to_least = _ratio(costs[work], base)
        print(f"{work:<46} {middle:>9.2f} {f'[{min(costs[work]):.2f}]':>8} {1e6 / middle:>10,.0f} {to_least:>9.2f}")
    told = {
        f"{name} to least": _ratio(costs[name], base),
        f"{name}, {AUTO} to named": _ratio(costs[f"{name}, {AUTO}"], costs[name]),
    }
    if for_peers:
        own = 1e6 / statistics.median(costs[name])
        for peer, rate in peers.measure(name, for_peers).items():
            print(f"{peer:<46} {1e6 / rate:>9.2f} {'':>8} {rate:>10,.0f}   ours is {own / rate:.1f} times as fast")
            told[f"times {peer}"] = own / rate
    return told


def _ratio(some: Sequence[float], base: Sequence[float]) -> float:
    """Compare round by round: what slows one round down slows both."""
    return statistics.median(one / other for one, other in zip(some, base, strict=True))


if __name__ == "__main__":
    sys.exit(main())
