"""A public rule set in place of the made-up one; events are made of what its rules ask for."""

import random
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bench.engine import engines
from bench.engine.vocabulary import address, path, word
from sakimori_common.contracts import Event
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.sigma.conditions import Compares, fields_of, tests_of

_FIELDS: Final = 14
_SOURCES: Final = 3


def measure(folder: Path, count: int) -> None:
    """Print what events of the sources with the most rules cost."""
    files = {str(file.relative_to(folder)): file.read_text("utf-8") for file in sorted(folder.rglob("*.yml"))}
    started = time.process_time()
    found = load(files)
    print(f"{len(files):,} files, {len(found.rules):,} loaded in {time.process_time() - started:.1f} s of CPU")
    datasets = Counter(dataset for rule in found.rules for dataset in rule.datasets)
    for dataset, rules in datasets.most_common(_SOURCES):
        stock = engines.batches(_events(found, dataset, count), 200)
        works = {"bare": engines.bare(stock), "matcher": engines.matching(found, stock)}
        costs = engines.costs(works, count, 5)
        middle = statistics.median(costs["matcher"])
        to_bare = statistics.median(a / b for a, b in zip(costs["matcher"], costs["bare"], strict=True))
        line = f"{dataset:<24} {rules:>5} rules {middle:>8.1f} us an event {1e6 / middle:>10,.0f}/s"
        print(f"{line} {to_bare:>6.1f} times bare, {works['matcher']() / count:.1%} of events met a rule")


def _events(found: RuleSet, dataset: str, count: int) -> list[Event]:
    """Make events with the fields that most rules of a dataset ask for; numbers where rules compare."""
    dice, asked, numbers = random.Random(7), Counter[str](), set[str]()
    for rule in found.rules:
        if isinstance(rule, EventRule) and dataset in rule.datasets:
            asked.update(set(fields_of(rule.detection.condition)))
            numbers |= {each.field for each in tests_of(rule.detection.condition) if isinstance(each, Compares)}
    names = [name for name, _ in asked.most_common(_FIELDS)]
    return [
        Event(
            f"e{n}", 1_768_528_800_000_000 + n, dataset, {name: _value(dice, name, name in numbers) for name in names}
        )
        for n in range(count)
    ]


def _value(dice: random.Random, name: str, is_number: bool) -> str | int:
    if is_number or name.endswith((".port", ".code")):
        return dice.randrange(1, 65_536)
    if name.endswith(".ip"):
        return address(dice)
    kind = dice.random()
    if kind < 0.4:
        return f"C:\\Program Files\\{word(dice)}\\{word(dice, 2)}.exe --{word(dice, 2)}={dice.randrange(9999)}"
    return path(dice) if kind < 0.7 else word(dice, dice.randint(1, 4))
