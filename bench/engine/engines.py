"""What is measured: the bare loop, the matcher, the whole engine."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import yaml

from bench.engine.rules import Rule
from sakimori_common.contracts import EVENTS, Event
from sakimori_detector.domain.counting import plan
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.domain.matchers import Matchers
from sakimori_detector.domain.sources import ALIASES, derived_fields
from sakimori_detector.sigma.matcher import Matcher

Work = Callable[[], Any]
WARM_UP_EVENTS: Final = 5_000
"""The matcher learns which texts are common after 1,000 and 5,000 events; automata are built as they are needed."""


def loaded(rules: Sequence[Rule]) -> RuleSet:
    """Load made-up rules as if they were files. Raises ValueError for one that is refused."""
    found = load({f"{rule.document['name']}.yml": yaml.dump(rule.document, Dumper=yaml.CSafeDumper) for rule in rules})
    if found.problems:
        raise ValueError(str(found.problems[0]))
    return found


def batches(events: Sequence[Event], size: int) -> list[Sequence[Event]]:
    """Part events."""
    return [events[at : at + size] for at in range(0, len(events), size)]


def bare(stock: Sequence[Sequence[Event]]) -> Work:
    """Do the least: decode each batch and count its addresses in a dictionary."""
    encoded, counts = [EVENTS.encode(list(batch)) for batch in stock], Counter[object]()

    def work() -> None:
        for body in encoded:
            counts.update(event.fields.get("source.ip") for event in EVENTS.decode(body))

    return work


def matching_decoded(found: RuleSet, stock: Sequence[Sequence[Event]]) -> Work:
    """Tell which rules each event meets, with the decoded request among the event's fields from the beginning."""
    detections = [detection for detection, _ in plan(found.rules).conditions]
    datasets = {event.dataset for batch in stock for event in batch}
    matchers = {
        dataset: Matcher([(each.condition, None) for each in detections if dataset in each.datasets], {}, ALIASES)
        for dataset in datasets
    }
    decoded = [[_decoded(event) for event in batch] for batch in stock]

    def work() -> int:
        met = 0
        for batch in decoded:
            parted: dict[str, list[Event]] = {}
            for event in batch:
                parted.setdefault(event.dataset, []).append(event)
            met += sum(len(matchers[dataset].met(events)) for dataset, events in parted.items())
        return met

    return work


def _decoded(event: Event) -> Event:
    made = {name: derive(event.fields) for name, derive in derived_fields(event.dataset).items()}
    return Event(event.id, event.time, event.dataset, {**event.fields, **made})


def matching(found: RuleSet, stock: Sequence[Sequence[Event]]) -> Work:
    """Tell which rules each event meets; decoded events, decoding of requests included."""
    matchers = Matchers(plan(found.rules).conditions)
    return lambda: sum(len(matchers.met(batch)) for batch in stock)


def evaluating(found: RuleSet, stock: Sequence[Sequence[Event]]) -> Work:
    """Evaluate: what events meet, and the signs that the state has to count."""
    engine = Engine(found.rules, found.world)

    def work() -> None:
        for batch in stock:
            engine.evaluate(batch)

    return work


def costs(works: dict[str, Work], count: int, rounds: int) -> dict[str, list[float]]:
    """Measure each work once a round, in turns of changing order: microseconds of CPU an event, per round."""
    dice, found = random.Random(1), dict[str, list[float]]()
    for work in works.values():
        work()
    for _ in range(rounds):
        for name in dice.sample(list(works), len(works)):
            started = time.process_time()
            works[name]()
            found.setdefault(name, []).append((time.process_time() - started) / count * 1e6)
    return found
