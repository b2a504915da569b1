"""What the second opinion finds beyond the rules, at how many false alarms, and what it costs."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import evaluate_payloads as payloads
from bench.opinion import texts
from bench.opinion.report import share
from sakimori_common.contracts import Event
from sakimori_detector.adapters.models import shipped
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.opinion.parts import suspicious_parts
from sakimori_detector.domain.rules import AnalyticRule, EventRule, Rule
from sakimori_detector.offline import OfflineDetector, load_folder

RULES: Final = Path(__file__).resolve().parents[2] / "rules"
OTHER_SEED: Final = 7
"""Not that of training: the same templates, filled anew."""
REPEATS: Final = 5


class Judge:
    """Asks the rules for single requests and, beside them, the second opinion; every request has its own address."""

    def __init__(self) -> None:
        loaded = load_folder(RULES, "UTC")
        self._world = loaded.world
        self.single: list[Rule] = [
            rule for rule in loaded.rules if isinstance(rule, EventRule) and "nginx.access" in rule.datasets
        ]
        self.opinion: list[Rule] = [
            rule for rule in loaded.rules if isinstance(rule, AnalyticRule) and rule.type == "payload_opinion"
        ]

    def verdicts(self, events: Sequence[Event]) -> list[set[str]]:
        """List the ids of the rules that each event meets."""
        met: dict[str, set[str]] = defaultdict(set)
        detector = OfflineDetector([*self.single, *self.opinion], self._world)
        for start in range(0, len(events), payloads.BATCH):
            for found in detector.feed(events[start : start + payloads.BATCH]):
                met[found.finding.entity].add(found.finding.rule_id)
        return [met[str(event.fields["source.ip"])] for event in events]

    def engine(self, *, with_opinion: bool) -> Engine:
        """Build an engine of these rules."""
        if with_opinion:
            return Engine([*self.single, *self.opinion], self._world)
        return Engine(self.single, replace(self._world, opinion=None))


def worth(data: Path) -> int:
    """Print the tables."""
    judge = Judge()
    attacks, benign = _sets(data)
    print(f"Model {shipped().version}, {os.cpu_count()} processors.\n")
    print("### Attacks\n")
    payloads.table(("class, source", "requests", "rules", "rules and opinion", "added"), _rows(judge, attacks))
    print("### Benign\n")
    payloads.table(("set", "requests", "rules", "rules and opinion", "added"), _rows(judge, benign))
    print("### Asked, and what that costs\n")
    payloads.table(
        ("events", "events asked about", "us/event without", "us/event with"), _costs(judge, attacks, benign)
    )
    return 0


def _sets(data: Path) -> tuple[dict[str, list[Event]], dict[str, list[Event]]]:
    attacks: dict[str, list[Event]] = {}
    benign: dict[str, list[Event]] = {}
    for number, text in enumerate([*payloads.payloads(data), *payloads.chat_texts(data)]):
        side, name = (benign, text.source) if text.label == "norm" else (attacks, f"{text.label}, {text.source}")
        side.setdefault(name, []).append(payloads.request(number, payloads.as_target(text.value)))
    for number, (family, value) in enumerate(texts.filled(texts.BENIGN, OTHER_SEED, 300)):
        place = 1_000_000 + number
        benign.setdefault(f"templates {family}", []).append(payloads.request(place, payloads.as_target(value)))
    benign["access log"] = payloads.access_events(data)
    return dict(sorted(attacks.items())), benign


def _rows(judge: Judge, sets: dict[str, list[Event]]) -> Iterator[list[str]]:
    learned = {rule.id for rule in judge.opinion}
    for name, events in sets.items():
        verdicts = judge.verdicts(events)
        by_rules = sum(bool(met - learned) for met in verdicts)
        together = sum(bool(met) for met in verdicts)
        yield [
            name,
            str(len(events)),
            share(by_rules, len(events)),
            share(together, len(events)),
            str(together - by_rules),
        ]


def _costs(judge: Judge, attacks: dict[str, list[Event]], benign: dict[str, list[Event]]) -> Iterator[list[str]]:
    """Time the engine without and with the opinion's rule, in batches of 200."""
    crowd = [event for events in attacks.values() for event in events][::4]
    chat = [event for name, events in benign.items() if name.startswith("chat") for event in events]
    for name, events in (("access log", benign["access log"]), ("chat texts", chat), ("attacks", crowd)):
        without, with_it = judge.engine(with_opinion=False), judge.engine(with_opinion=True)
        asked = _asked(without, events)
        took = [f"{_microseconds(engine, events):.1f}" for engine in (without, with_it)]
        yield [f"{name} ({len(events)})", share(asked, len(events)), *took]


def _asked(engine: Engine, events: Sequence[Event]) -> int:
    """Count the events that no rule met and that have a telling character."""
    placed = {sign.event_id for group in engine.evaluate(events).groups for sign in group.signs}
    return sum(event.id not in placed and bool(suspicious_parts(event.fields)) for event in events)


def _microseconds(engine: Engine, events: Sequence[Event]) -> float:
    """Give the processor time of an event, the best of some runs; values repeat in none."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        for place in range(0, len(events), 200):
            engine.evaluate(events[place : place + 200])
        best = min(best, time.process_time() - start)
    return best * 1e6 / len(events)
