"""The second opinion by itself (X-13): requests that no rule placed and that the model takes for an attack."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event, Severity
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.opinion.asking import told
from sakimori_detector.domain.opinion.model import Opinion
from sakimori_detector.domain.opinion.parts import suspicious_parts
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.windows import Group, Sign

_SEVERITIES: Final = frozenset({Severity.INFO, Severity.LOW, Severity.MEDIUM})
"""A model that nobody asked wakes nobody up."""


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`threshold`: the probability that makes a sign; by default the model's own for the class."""

    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None


class PayloadOpinion:
    """Asks about all values of a batch at once. Without a model it says nothing."""

    only_unplaced: Final = True

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        if rule.severity not in _SEVERITIES:
            raise AnalyticError(f"analytic payload_opinion: level {rule.severity}, at most medium")
        self._chosen = parameters(rule, Parameters)
        self._model = world.opinion
        self._entity = rule.entity
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        if self._model is None:
            return [], []
        asked = [(event, parts) for event in events if (parts := suspicious_parts(event.fields))]
        opinions = iter(self._model.opinions([part for _, parts in asked for part in parts]))
        groups = []
        for event, parts in asked:
            sure = [pair for pair in zip(parts, islice(opinions, len(parts)), strict=True) if self._is_sure(pair[1])]
            if sure:
                told_of = told(self._model, *max(sure, key=lambda pair: pair[1].probability))
                groups.append(Group(self.window, key_of(event.get(self._entity)), [self._sign(event, told_of)]))
        return groups, []

    def _is_sure(self, opinion: Opinion) -> bool:
        threshold = self._chosen.threshold
        if threshold is None and self._model is not None:
            threshold = self._model.threshold(opinion.attack)
        return threshold is not None and opinion.probability >= threshold

    @staticmethod
    def _sign(event: Event, opinion: dict[str, object]) -> Sign:
        facts = {"opinion": opinion, "probability": opinion["probability"], "class": opinion["class"]}
        return Sign(event.time, event.id, note=note(facts))
