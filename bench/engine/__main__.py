"""The detection engine on one core, against the least that any consumer does and against its peers in the same run.

    python -m bench.engine [--rules DIR] [--events N] [--no-peers] [--hostile] [--check | --update]

3,000 made-up rules (250 of them for each of the three sources that events are of) and a mix of requests, logins and
flows of which 1 % meet a rule. Everything comes from a seed. `matcher` tells which rules an event meets, `evaluate` is
the whole engine: it decodes requests first and makes the signs that windows count. `--check` compares the ratios with
those committed in ratios.json and exits with 1 when one is over 20 % worse.

Memory: python -m bench.engine.memory 3000 1000000
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.engine import engines, events, hostile, peers, public, ratios, rules
from sakimori_common.contracts import Event

_ROUNDS: Final = 7
_BATCH: Final = 200
_FEW: Final = 100
_MANY: Final = 3_000
_MATCHER_OF_FEW: Final = "matcher, 100 rules"
_MATCHER: Final = "matcher, 3,000 rules"
_EVALUATE: Final = "evaluate, 3,000 rules"


def main() -> int:
    """Read the options and run."""
    options = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__.partition("\n")[0])
    options.add_argument("--events", type=int, default=20_000, help="in each round")
    options.add_argument("--rules", type=Path, help="a folder of public rules to measure instead")
    options.add_argument("--no-peers", action="store_true", help="do not install and run other evaluators")
    options.add_argument("--hostile", action="store_true", help="what events cost that are made to be slow")
    deed = options.add_mutually_exclusive_group()
    deed.add_argument("--check", action="store_true", help="exit with 1 for a regression of over 20 %%")
    deed.add_argument("--update", action="store_true", help="commit to the ratios of this run")
    given = options.parse_args()
    if given.rules is not None:
        public.measure(given.rules, given.events)
        return 0
    made = rules.generate(_MANY, seed=1)
    if given.hostile:
        return _hostile(made)
    found = _measured(made, given.events, with_peers=not given.no_peers)
    if given.update:
        ratios.RATIOS.write(found)
    return ratios.RATIOS.check(found, ratios.beyond_limits(found)) if given.check else 0


def _measured(made: list[rules.Rule], count: int, *, with_peers: bool) -> dict[str, float]:
    stock = events.generate(count, made, seed=2)
    _describe(made, stock)
    few, many = engines.loaded(rules.generate(_FEW, seed=1)), engines.loaded(made)
    parted = engines.batches(stock, _BATCH)
    works = {
        "bare": engines.bare(parted),
        _MATCHER_OF_FEW: engines.matching_decoded(few, parted),
        _MATCHER: engines.matching_decoded(many, parted),
        "matcher, batches of 20": engines.matching_decoded(many, engines.batches(stock, 20)),
        "matcher, batches of 1,000": engines.matching_decoded(many, engines.batches(stock, 1_000)),
        "matcher and decoding": engines.matching(many, parted),
        _EVALUATE: engines.evaluating(many, parted),
    }
    costs = engines.costs(works, count, _ROUNDS)
    print(f"\n{'':<26} {'us an event':>12} {'events/s':>10} {'to bare':>8}   medians of {_ROUNDS}; best in brackets")
    for name in works:
        found = costs[name]
        middle = statistics.median(found)
        to_bare = _ratio(found, costs["bare"])
        print(f"{name:<26} {middle:>6.2f} [{min(found):.2f}] {1e6 / middle:>10,.0f} {to_bare:>8.2f}")
    matcher = costs[_MATCHER]
    told = {
        "matcher_to_bare": _ratio(matcher, costs["bare"]),
        "evaluate_to_bare": _ratio(costs[_EVALUATE], costs["bare"]),
        "growth": _ratio(matcher, costs[_MATCHER_OF_FEW]),
    }
    print(f"growth from {_FEW} to {_MANY} rules: {told['growth']:.2f}")
    if with_peers and (speeds := peers.measure(made, stock)):
        for speed in speeds:
            print(f"{speed.name:<26} {1e6 / speed.events_per_second:>12.0f} {speed.events_per_second:>10,.0f}", end="")
            print(f"   took {speed.rules} of 750 rules, {speed.met} met in {speed.events} events")
        told["times_peer"] = 1e6 / statistics.median(matcher) / speeds[0].events_per_second
        print(f"{told['times_peer']:,.0f} times the best peer")
    return told


def _ratio(some: Sequence[float], base: Sequence[float]) -> float:
    """Compare round by round: what slows one round down slows both."""
    return statistics.median(one / other for one, other in zip(some, base, strict=True))


def _describe(made: list[rules.Rule], stock: list[Event]) -> None:
    used = [rule for rule in made if rule.source in rules.RECIPES]
    print(f"{len(made):,} rules, {len(used) // len(rules.RECIPES)} for each of {', '.join(rules.RECIPES)}")
    print(f"{len(stock):,} events in batches of {_BATCH}; share of values that are distinct:")
    names = (
        "url.original",
        "url.query",
        "user_agent.original",
        "source.ip",
        "user.name",
        "message",
        "destination.port",
    )
    for name in names:
        values = [event.fields[name] for event in stock if name in event.fields]
        print(f"  {name} {len(set(map(str, values))) / len(values):.0%}", end="")
    print()


def _hostile(made: list[rules.Rule]) -> int:
    found = engines.loaded(made)
    print(f"{'requests with':<44} {'us an event':>12}   median of 3, {len(made):,} rules, batches of 100")
    for name, make in hostile.kinds(made).items():
        stock = hostile.events(make, 100)
        costs = engines.costs({name: engines.matching(found, [stock])}, len(stock), 3)[name]
        print(f"{name:<44} {statistics.median(costs):>12,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
