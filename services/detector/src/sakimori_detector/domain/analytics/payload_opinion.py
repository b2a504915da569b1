"""The second opinion by itself (X-13): requests that no rule placed and that the model takes for an attack."""

from collections.abc import Collection
from itertools import islice
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event, Severity
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.columns import Columns
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.opinion.asking import told
from sakimori_detector.domain.opinion.model import Model, Opinion
from sakimori_detector.domain.opinion.parts import suspicious_parts
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.windows import Group, Sign

_SEVERITIES: Final = frozenset({Severity.INFO, Severity.LOW, Severity.MEDIUM})
"""A model that nobody asked wakes nobody up."""

MAX_REMEMBERED: Final = 4096
MAX_REMEMBERED_CHARACTERS: Final = 256
"""Opinions on texts no longer than this are remembered: what feeds and links ask for comes again. Some 2 MB. Half of
them, the oldest, are forgotten at once: taking the first out of a dictionary time and again is slow."""


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`threshold`: the probability that makes a sign; by default the model's own for the class."""

    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None


class PayloadOpinion:
    """Asks about all values of a batch that no rule placed, at once. Without a model it says nothing."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        if rule.severity not in _SEVERITIES:
            raise AnalyticError(f"analytic payload_opinion: level {rule.severity}, at most medium")
        self._chosen = parameters(rule, Parameters)
        self._model = world.opinion
        self._entity = rule.entity
        self._remembered: dict[str, Opinion] = {}
        self.window = window_of(rule)

    def observe(self, events: Columns) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        if self._model is None:
            return [], []
        asked = [(event, parts) for event in events.unplaced() if (parts := suspicious_parts(event.fields))]
        opinions = self._opinions(self._model, {part: None for _, parts in asked for part in parts}) if asked else {}
        groups = []
        for event, parts in asked:
            sure = [(part, opinions[part]) for part in parts if self._is_sure(opinions[part])]
            if sure:
                told_of = told(self._model, *max(sure, key=lambda pair: pair[1].probability))
                groups.append(Group(self.window, key_of(event.get(self._entity)), [self._sign(event, told_of)]))
        return groups, []

    def _opinions(self, model: Model, parts: Collection[str]) -> dict[str, Opinion]:
        """Judge different texts, those that are new in one go."""
        known = {part: self._remembered[part] for part in parts if part in self._remembered}
        new = [part for part in parts if part not in known]
        fresh = dict(zip(new, model.opinions(new), strict=True))
        for part in new:
            if len(part) <= MAX_REMEMBERED_CHARACTERS:
                self._remembered[part] = fresh[part]
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered = dict(islice(self._remembered.items(), MAX_REMEMBERED // 2, None))
        return known | fresh

    def _is_sure(self, opinion: Opinion) -> bool:
        threshold = self._chosen.threshold
        if threshold is None and self._model is not None:
            threshold = self._model.threshold(opinion.attack)
        return threshold is not None and opinion.probability >= threshold

    @staticmethod
    def _sign(event: Event, opinion: dict[str, object]) -> Sign:
        facts = {"opinion": opinion, "probability": opinion["probability"], "class": opinion["class"]}
        return Sign(event.time, event.id, note=note(facts))
