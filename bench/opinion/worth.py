"""What the second opinion finds beyond the rules, at how many false alarms, and what it costs."""

import json
import statistics
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
from sakimori_detector.domain.analytics.payload_opinion import MAX_REMEMBERED
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.opinion.parts import suspicious_parts
from sakimori_detector.domain.rules import AnalyticRule, EventRule, Rule
from sakimori_detector.offline import OfflineDetector, load_folder

RULES: Final = Path(__file__).resolve().parents[2] / "rules"
OTHER_SEED: Final = 7
"""Not that of training: the same templates, filled anew."""
PAIRS: Final = 15
FAMILIES: Final = frozenset({"sqli", "xss", "cmdi", "path-traversal", "php", "generic-injection"})
"""Of the Core Rule Set's tests, those about injections."""


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

    def verdicts(self, events: Sequence[Event]) -> list[dict[str, float | None]]:
        """List the rules that each event meets, by id with what the opinion says of what they matched."""
        met: dict[str, dict[str, float | None]] = defaultdict(dict)
        detector = OfflineDetector([*self.single, *self.opinion], self._world)
        for start in range(0, len(events), payloads.BATCH):
            for found in detector.feed(events[start : start + payloads.BATCH]):
                opinion = found.finding.details.get("opinion") or {}
                met[found.finding.entity][found.finding.rule_id] = opinion.get("probability")
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
    print(f"Model {shipped().version}.\n")
    heads = "requests", "rules", "rules and opinion", "added", "rule findings with an opinion", "of them 0.5 and more"
    for title, sets in (("Attacks", attacks), ("Benign", benign)):
        print(f"### {title}\n")
        payloads.table(("set", *heads), _rows(judge, sets))
    print("### Asked, and what that costs\n")
    payloads.table(
        ("events", "events asked about", "us/event without", "us/event with", "difference"),
        _costs(judge, attacks, benign),
    )
    return 0


def _sets(data: Path) -> tuple[dict[str, list[Event]], dict[str, list[Event]]]:
    attacks: dict[str, list[Event]] = {}
    benign: dict[str, list[Event]] = {}
    for number, text in enumerate([*payloads.payloads(data), *payloads.chat_texts(data)]):
        side, name = (benign, text.source) if text.label == "norm" else (attacks, f"{text.label}, {text.source}")
        side.setdefault(name, []).append(payloads.request(number, payloads.as_target(text.value)))
    for number, (family, value) in enumerate(texts.filled(texts.BENIGN, OTHER_SEED, 300), start=1_000_000):
        benign.setdefault(f"templates {family}", []).append(payloads.request(number, payloads.as_target(value)))
    benign["access log"] = payloads.access_events(data)
    for number, (is_benign, family, target, body) in enumerate(_core_rule_set(data), start=2_000_000):
        side, name = (benign, "CRS negatives") if is_benign else (attacks, f"CRS {family}")
        side.setdefault(name, []).append(payloads.request(number, target, **{"http.request.body.content": body}))
    return dict(sorted(attacks.items())), benign


def _core_rule_set(data: Path) -> Iterator[tuple[bool, str, str, str]]:
    """Read the requests that nothing was trained on: whether a rule must not match, family, target, body."""
    with (data / "http_payloads" / "crs_requests.jsonl").open(encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            if case["family"] in FAMILIES and case["uri"]:
                body = case["data"] if isinstance(case["data"], str) else ""
                yield case["expect"] == "no_match", case["family"], case["uri"], body


def _rows(judge: Judge, sets: dict[str, list[Event]]) -> Iterator[list[str]]:
    learned = {rule.id for rule in judge.opinion}
    for name, events in sets.items():
        verdicts = judge.verdicts(events)
        by_rules = sum(bool(met.keys() - learned) for met in verdicts)
        together = sum(bool(met) for met in verdicts)
        sure = [
            probability
            for met in verdicts
            for rule, probability in met.items()
            if rule not in learned and probability is not None
        ]
        yield [
            name,
            str(len(events)),
            share(by_rules, len(events)),
            share(together, len(events)),
            str(together - by_rules),
            str(len(sure)),
            share(sum(probability >= 0.5 for probability in sure), len(sure)),
        ]


def _costs(judge: Judge, attacks: dict[str, list[Event]], benign: dict[str, list[Event]]) -> Iterator[list[str]]:
    """Time the engine without and with the opinion's rule in turn: medians of pairs."""
    crowd = [event for events in attacks.values() for event in events][::4]
    chat = [event for name, events in benign.items() if name.startswith("chat") for event in events][::4]
    for name, events in (("access log", benign["access log"]), ("chat texts", chat), ("attacks", crowd)):
        engines = [judge.engine(with_opinion=each) for each in (False, True)]
        asked = _asked(engines[0], events)
        turns = [[_microseconds(engine, events, turn) for engine in engines] for turn in range(PAIRS + 1)]
        pairs = turns[1:]  # in the first the engines plan
        took = [*zip(*pairs, strict=True), [with_it - without for without, with_it in pairs]]
        yield [
            f"{name} ({len(events)})",
            share(asked, len(events)),
            *(f"{statistics.median(each):.1f}" for each in took),
        ]


def _asked(engine: Engine, events: Sequence[Event]) -> int:
    """Count the events that no rule met and that have a telling character."""
    placed = {sign.event_id for group in engine.evaluate(events).groups for sign in group.signs}
    return sum(event.id not in placed and bool(suspicious_parts(event.fields)) for event in events)


def _microseconds(engine: Engine, events: Sequence[Event], turn: int) -> float:
    """Give the processor time of an event, in batches of 200.

    As many other texts as opinions are remembered come first, so that each turn finds nothing remembered.
    """
    others = [payloads.as_target(f"it's {turn} {number}") for number in range(MAX_REMEMBERED)]
    _evaluate(engine, [payloads.request(number, target) for number, target in enumerate(others)])
    start = time.process_time()
    _evaluate(engine, events)
    return (time.process_time() - start) * 1e6 / len(events)


def _evaluate(engine: Engine, events: Sequence[Event]) -> None:
    for place in range(0, len(events), 200):
        engine.evaluate(events[place : place + 200])
