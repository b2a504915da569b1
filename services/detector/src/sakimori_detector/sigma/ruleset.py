"""The package in use: rules from texts, events in, hits out. For one event at a time; correlations need windows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sigma.rule import SigmaRule

from sakimori_detector.sigma import documents
from sakimori_detector.sigma.compiling import PLAIN, Vocabulary
from sakimori_detector.sigma.conditions import Condition
from sakimori_detector.sigma.documents import DocumentError, Problem
from sakimori_detector.sigma.events import Event, FieldValue
from sakimori_detector.sigma.matcher import Match, Matcher, explain
from sakimori_detector.sigma.parsing import Refused, compiled, parse

_OTHERS: Final = frozenset({"correlation", "filter"})
MAX_DATASETS: Final = 1000
"""Datasets whose matcher is remembered; the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class PlainEvent:
    """An event with nothing to it: what `Event` asks for."""

    id: str
    fields: dict[str, FieldValue]
    dataset: str = ""
    time: int = 0

    def get(self, name: str) -> FieldValue:
        """See Event."""
        return self.fields.get(name)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule that is ready to run. `sigma` is pySigma's reading of it: title, level, tags, log source, ..."""

    path: str
    sigma: SigmaRule
    condition: Condition


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that meets a rule, and which texts of it what matched."""

    event: Event
    rule: Rule
    matches: list[Match]


Means = Callable[[SigmaRule, str], bool]
"""Tells whether a rule's log source means a dataset."""


def _any_dataset(rule: SigmaRule, dataset: str) -> bool:
    return True


@dataclass(slots=True)
class RuleSet:
    """Rules over events. `means` chooses the rules of a dataset; without it each is asked about every event."""

    rules: Sequence[Rule]
    problems: Sequence[Problem]
    means: Means = _any_dataset
    _matchers: dict[str, Matcher[Rule]] = field(default_factory=dict)

    def evaluate(self, events: Iterable[Event]) -> Iterator[Hit]:
        """Find what rules say of events, dataset by dataset. Many at once cost far less than one by one."""
        parted: dict[str, list[Event]] = {}
        for event in events:
            parted.setdefault(event.dataset, []).append(event)
        for dataset, some in parted.items():
            matcher = self._matcher(dataset)
            for row, rule in matcher.met(some):
                yield Hit(some[row], rule, explain(rule.condition, matcher.view(some[row])))

    def _matcher(self, dataset: str) -> Matcher[Rule]:
        if dataset not in self._matchers:
            if len(self._matchers) >= MAX_DATASETS:
                del self._matchers[next(iter(self._matchers))]
            meant = [(rule.condition, rule) for rule in self.rules if self.means(rule.sigma, dataset)]
            self._matchers[dataset] = Matcher(meant)
        return self._matchers[dataset]


def load_rules(files: Mapping[str, str], vocabulary: Vocabulary = PLAIN, means: Means = _any_dataset) -> RuleSet:
    """Make rules of the texts of files by path; correlations and filters are passed over.

    `vocabulary` says what events call the fields of rules, and what placeholders stand for. A file with a mistake is a
    Problem, and the others are used.
    """
    rules: list[Rule] = []
    problems: list[Problem] = []
    for path, text in sorted(files.items()):
        try:
            rules += _rules_of(path, text, vocabulary)
        except (Refused, DocumentError) as error:
            problems.append(Problem(path, error.line, error.column, str(error)))
    return RuleSet(rules, problems, means)


def _rules_of(path: str, text: str, vocabulary: Vocabulary) -> list[Rule]:
    parsed = [(document, parse(document)) for document in documents.read(text)]
    return [
        Rule(path, rule, compiled(document, rule, vocabulary))
        for document, rule in parsed
        if _OTHERS.isdisjoint(document.data)
    ]
